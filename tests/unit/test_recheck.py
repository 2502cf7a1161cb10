"""When an upload is asked about again."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from exporter.scan.recheck import Recheck

NOW = 1_790_000_000.0
DAY = 86400.0
IDS = st.integers(-(2**63), 2**63 - 1)
IDLE = st.floats(-DAY, 1000 * DAY)


class TestDue:
    @given(IDS, IDLE, st.floats(0, 1), st.floats(1, 30 * DAY))
    def test_is_never_later_than_promised_and_never_before_it_was_asked(
        self, identity, idle, factor, at_least
    ):
        recheck = Recheck(factor, at_least)
        due = recheck.due(identity, NOW, NOW - idle)
        assert NOW <= due <= NOW + recheck.delay(NOW, NOW - idle) + 1e-3
        assert recheck.delay(NOW, NOW - idle) == min(at_least, factor * max(0.0, NOW - (NOW - idle)))

    def test_is_a_tenth_of_the_idle_time_later(self):
        assert Recheck().due(7, NOW, NOW - 3600) == NOW + 360

    def test_at_the_cap_is_at_the_own_phase_of_each_id_whenever_it_was_asked(self):
        recheck, identity = Recheck(), 2**31  # half a day
        dues = {recheck.due(identity, NOW + shift, NOW - 30 * DAY) % DAY for shift in range(0, 200_000, 977)}
        assert dues == {DAY / 2}

    @given(IDS, st.floats(0, DAY))
    def test_at_the_cap_is_after_it_was_asked_and_within_the_window(self, identity, shift):
        due = Recheck().due(identity, NOW + shift, NOW - 30 * DAY)
        assert NOW + shift < due <= NOW + shift + DAY

    def test_ids_are_spread_over_the_window(self):
        dues = sorted(Recheck().due(n * 2**32 // 100, NOW, NOW - 30 * DAY) for n in range(100))
        gaps = [later - earlier for earlier, later in pairwise(dues)]
        assert max(gaps) < 2 * DAY / 100

    def test_of_an_upload_that_is_active_in_the_future_is_at_once(self):
        assert Recheck().due(1, NOW, NOW + 500) == NOW

    def test_with_factor_0_is_at_once(self):
        assert Recheck(factor=0.0).due(1, NOW, NOW - 300 * DAY) == NOW

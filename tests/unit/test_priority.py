"""The order in which uploads are asked about, against a slow oracle."""

from fakes import upload
from hypothesis import given
from hypothesis import strategies as st

from exporter.scan.priority import DueUpload, ListingOrderQueue, UrgencyQueue
from exporter.state.rows import UploadRecord

RECORD = UploadRecord(1.0, 1.0, dated=True, parts=1, bytes=1)


def due(number: int, urgency: float, *, asked: bool) -> DueUpload:
    return DueUpload(upload(number), number, RECORD if asked else None, urgency)


DUE_UPLOADS = st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=40).map(
    lambda rows: [due(n, float(urgency), asked=asked) for n, (urgency, asked) in enumerate(rows)]
)


def chosen(waiting: list[DueUpload], most: int) -> tuple[list[DueUpload], list[DueUpload]]:
    """Return what may stay: never asked, and asked before; the most urgent of each first."""
    never, overdue = (
        sorted((each for each in waiting if each.was_asked is asked), key=lambda each: each.urgency)
        for asked in (False, True)
    )
    share = min(len(overdue), most // 4)
    room_for_never = min(len(never), most - share)
    return never[:room_for_never], overdue[: most - room_for_never]


class TestUrgencyQueue:
    @given(DUE_UPLOADS, st.integers(0, 45))
    def test_trim_keeps_what_a_slow_choice_would_and_yields_each_other_once(self, waiting, most):
        queue = UrgencyQueue()
        for each in waiting:
            queue.add(each)
        left = list(queue.trim(most))
        never, overdue = chosen(waiting, most)
        assert len(queue) == len(never) + len(overdue) == min(most, len(waiting))
        popped = [queue.pop() for _ in range(len(queue))]
        assert [each for each in popped if not each.was_asked] == never
        assert [each for each in popped if each.was_asked] == overdue
        assert sorted(each.row_id for each in popped + left) == list(range(len(waiting)))

    @given(DUE_UPLOADS, st.lists(st.integers(0, 45), max_size=4))
    def test_trimmed_as_they_come_keeps_the_same(self, waiting, mosts):
        queue, last = UrgencyQueue(), 6
        for number, each in enumerate(waiting):
            queue.add(each)
            if number < len(mosts):
                list(queue.trim(last + mosts[number]))
        list(queue.trim(last))
        never, overdue = chosen(waiting, last)
        popped = {queue.pop().row_id for _ in range(len(queue))}
        if all(each.was_asked for each in waiting) or not any(each.was_asked for each in waiting):
            assert popped == {each.row_id for each in never + overdue}
        assert len(popped) == min(last, len(waiting))

    def test_every_fourth_was_asked_before(self):
        queue = UrgencyQueue()
        for number in range(12):
            queue.add(due(number, 0.0, asked=number % 2 == 1))
        order = "".join("o" if queue.pop().was_asked else "n" for _ in range(12))
        assert order == "nnnonnnooooo"

    def test_what_failed_of_late_comes_after_what_did_not(self):
        queue = UrgencyQueue()
        for number, urgency in enumerate([30.0, 10.0, 20.0]):
            queue.add(due(number, urgency, asked=True))
        assert [queue.pop().row_id for _ in range(3)] == [1, 2, 0]


def test_in_order_is_the_order_of_the_listing():
    queue = ListingOrderQueue()
    for number in range(3):
        queue.add(due(number, -float(number), asked=bool(number)))
    assert list(queue.trim(0)) == []
    assert [queue.pop().row_id for _ in range(len(queue))] == [0, 1, 2]

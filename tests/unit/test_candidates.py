"""Whose turn it is, against a slow oracle."""

from fakes import upload
from hypothesis import given
from hypothesis import strategies as st

from exporter.scan.priority import Candidate, InOrder, MostUrgent
from exporter.state.rows import Known

KNOWN = Known(1.0, 1.0, dated=True, parts=1, bytes=1)


def candidate(number: int, urgency: float, *, asked: bool) -> Candidate:
    return Candidate(upload(number), number, KNOWN if asked else None, urgency)


CANDIDATES = st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=40).map(
    lambda rows: [candidate(n, float(urgency), asked=asked) for n, (urgency, asked) in enumerate(rows)]
)


def chosen(waiting: list[Candidate], most: int) -> tuple[list[Candidate], list[Candidate]]:
    """Return who may wait: never asked, and asked before; the most urgent of each first."""
    never, overdue = (
        sorted((each for each in waiting if each.was_asked is asked), key=lambda each: each.urgency)
        for asked in (False, True)
    )
    share = min(len(overdue), most // 4)
    room_for_never = min(len(never), most - share)
    return never[:room_for_never], overdue[: most - room_for_never]


class TestMostUrgent:
    @given(CANDIDATES, st.integers(0, 45))
    def test_keeps_whom_a_slow_choice_would_and_gives_up_each_other_once(self, waiting, most):
        turns = MostUrgent()
        for each in waiting:
            turns.add(each)
        left = list(turns.trim(most))
        never, overdue = chosen(waiting, most)
        assert len(turns) == len(never) + len(overdue) == min(most, len(waiting))
        popped = [turns.pop() for _ in range(len(turns))]
        assert [each for each in popped if not each.was_asked] == never
        assert [each for each in popped if each.was_asked] == overdue
        assert sorted(each.identity for each in popped + left) == list(range(len(waiting)))

    @given(CANDIDATES, st.lists(st.integers(0, 45), max_size=4))
    def test_trimmed_as_they_come_keeps_the_same(self, waiting, mosts):
        turns, last = MostUrgent(), 6
        for number, each in enumerate(waiting):
            turns.add(each)
            if number < len(mosts):
                list(turns.trim(last + mosts[number]))
        list(turns.trim(last))
        never, overdue = chosen(waiting, last)
        popped = {turns.pop().identity for _ in range(len(turns))}
        if all(each.was_asked for each in waiting) or not any(each.was_asked for each in waiting):
            assert popped == {each.identity for each in never + overdue}
        assert len(popped) == min(last, len(waiting))

    def test_every_fourth_turn_is_of_one_asked_before(self):
        turns = MostUrgent()
        for number in range(12):
            turns.add(candidate(number, 0.0, asked=number % 2 == 1))
        order = "".join("o" if turns.pop().was_asked else "n" for _ in range(12))
        assert order == "nnnonnnooooo"

    def test_what_failed_of_late_comes_after_what_did_not(self):
        turns = MostUrgent()
        for number, urgency in enumerate([30.0, 10.0, 20.0]):
            turns.add(candidate(number, urgency, asked=True))
        assert [turns.pop().identity for _ in range(3)] == [1, 2, 0]


def test_in_order_is_the_order_of_the_listing():
    turns = InOrder()
    for number in range(3):
        turns.add(candidate(number, -float(number), asked=bool(number)))
    assert list(turns.trim(0)) == []
    assert [turns.pop().identity for _ in range(len(turns))] == [0, 1, 2]

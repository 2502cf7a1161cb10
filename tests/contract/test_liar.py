"""A store that lies in every way: a scan's numbers are true of some moment of it, or it says otherwise.

LIAR_CASES=100000 in the environment draws this number of further cases, LIAR_SEED others.
"""

from __future__ import annotations

import os
import random
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import pytest
from contract.liar import LIES, exclude
from contract.liar_cases import Case, Judge, Wrong, draw, draw_long
from contract.liar_world import Event
from fakes import DAY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]


class Excuse(NamedTuple):
    """What these lies get past anybody: that uploads are `wrong` so, where `applies` says yes."""

    lies: frozenset[str]
    wrong: str
    reason: str
    applies: Callable[[Case, Wrong], bool] = lambda _case, _wrong: True


def _unknown(case: Case, wrong: Wrong) -> bool:
    return not wrong.known


def _of_its_key(case: Case, wrong: Wrong) -> int:
    """Return how many uploads the answer to a question about its key may have to list."""
    begun = [case.keys[event.which % len(case.keys)] for event in case.events if event.what == "begin"]
    return len(begun) if "prefix: ignored" in case.lies else begun.count(wrong.key)


def _of_a_long_key(case: Case, wrong: Wrong) -> bool:
    """Whether a page cannot show all uploads of its key, nor then the answer to a question by name."""
    page = (case.page_size or 1000) - ("size: one less" in case.lies)
    return _of_its_key(case, wrong) > min(page, 2 if "size: two at most" in case.lies else 1000)


HIDING = frozenset(
    {
        "restart forgets",
        "restart forgets, exact keys only, by initiation",
        "empty now and then",
        "a page empty now and then",
        "short now and then",
        "nodes in turn",
    }
)
KEYS_CHANGED = frozenset({"keys: trimmed", "keys: padded", "keys: line feeds"})
GHOSTS = frozenset({"ghosts", "some ghosts", "ghosts by name, too"})
EXCUSES = [
    Excuse(
        HIDING | {"some never listed", "size: the last item left out", "taken: as an index"},
        "missing",
        "what no scan that is remembered has seen, nobody can ask for by name",
        _unknown,
    ),
    Excuse(
        frozenset({"truncated: never", "taken: key equals"}),
        "missing",
        "the page says that it is the last as every honest one does",
        _unknown,
    ),
    Excuse(
        frozenset({"truncated: unsaid"}),
        "missing",
        "neither a word nor a marker says that there is more",
        lambda case, wrong: not wrong.known and "given: nothing" in case.lies,
    ),
    Excuse(
        frozenset({"parts: truncated never"}),
        "size",
        "the page says that it is the last as every honest one does",
    ),
    Excuse(
        frozenset({"parts: truncated unsaid"}),
        "size",
        "neither a word nor a marker says that there is more",
        lambda case, _: not {"parts: no marker", "parts: marker 0"}.isdisjoint(case.lies),
    ),
    Excuse(
        frozenset(
            {"taken: id ignored", "taken: key equals", "given: key alone", "size: the last item left out"}
        ),
        "missing",
        "the answer about a key of more uploads than a page has is cut off in the same way",
        _of_a_long_key,
    ),
    Excuse(
        frozenset({"taken: id ignored", "given: key alone"}),
        "missing",
        "edges between pages are asked about where uploads are remembered",
        lambda case, _: case.parts != "remembered",
    ),
    Excuse(
        frozenset({"taken: id ignored", "given: key alone"}),
        "missing",
        "after the first scan one edge of each is drawn by chance; see test_skipped_edges_are_found_in_time",
        lambda _, wrong: not wrong.known and wrong.earlier > 0,
    ),
    Excuse(
        frozenset({"ended marker: an empty page", "key and next item marked"}),
        "missing",
        "others of the key of an upload that ended at an edge are asked for at some edges only",
        lambda case, wrong: _of_its_key(case, wrong) > 1,
    ),
    Excuse(
        frozenset(lie for lie in LIES if lie.startswith(("given: ", "taken: ", "ended marker: "))),
        "missing",
        "a marker that leads nowhere leaves only the key alone, which skips where the order is another",
        lambda case, wrong: not wrong.known and any(lie.startswith("order: ") for lie in case.lies),
    ),
    Excuse(
        KEYS_CHANGED,
        "missing",
        "an upload that is gone by both questions once has most likely ended; it is asked for again",
        lambda case, wrong: wrong.scans == 0 and case.remember != "nothing",
    ),
    Excuse(
        KEYS_CHANGED | {"keys: no control characters"},
        "missing",
        "no marker and no question by name leads on from a key that is written otherwise at a page's edge",
        lambda case, wrong: not wrong.known and case.page_size is not None,
    ),
    Excuse(
        frozenset({"prefix: exact keys only", "prefix: finds nothing"}),
        "missing",
        "one page without the prefix, asked once a day, shows no upload of it",
        lambda case, wrong: not wrong.known and (case.interval < DAY or case.page_size is not None),
    ),
    Excuse(
        frozenset({"prefix: finds nothing"}),
        "missing",
        "a listing that is empty holds nothing by which it shows that no key can be asked for",
        lambda case, _: not HIDING.isdisjoint(case.lies),
    ),
    Excuse(
        frozenset({"keys: padded"}),
        "missing",
        "a key with blanks before it lies outside the prefix, which the store does not honour either",
        lambda case, wrong: not wrong.known and bool(case.prefix),
    ),
    Excuse(
        GHOSTS,
        "unsized ghost",
        "that an upload has ended is known by its parts, which are not asked for",
        lambda case, _: case.parts == "never",
    ),
    Excuse(
        GHOSTS,
        "ghost",
        "the listing and ListParts agree that it is there",
        lambda case, _: "zombies" in case.lies,
    ),
]
"""Wrong numbers that nobody could know of, and no others, may go unsaid."""
NAMES = sorted(LIES)


def unsaid(case: Case) -> list[list[Wrong]]:
    """Return what is wrong without a word in each scan, and would not have to be."""
    return [
        [each for each in verdict.silent if not excused(case, each)] for verdict in Judge(case).verdicts()
    ]


def excused(case: Case, wrong: Wrong) -> bool:
    lies = set(case.lies)
    return any(
        lies & each.lies and wrong.what == each.wrong and each.applies(case, wrong) for each in EXCUSES
    )


def silent(case: Case) -> bool:
    return any(unsaid(case))


def bounded(*, examples: int):
    return settings(
        deadline=None, derandomize=True, max_examples=examples, suppress_health_check=list(HealthCheck)
    )


chances = st.randoms(use_true_random=False)
lies_together = st.lists(st.sampled_from(NAMES), max_size=3, unique=True).filter(
    lambda lies: not any(exclude(*pair) for pair in combinations(lies, 2))
)


@bounded(examples=1000)
@given(chances, lies_together)
def test_no_lies_together_make_a_number_wrong_without_a_word(chance: random.Random, lies: list[str]):
    case = draw(chance, lies)
    assert unsaid(case) == [[]] * case.scans


@pytest.mark.parametrize("lie", NAMES)
def test_no_lie_alone_makes_a_number_wrong_without_a_word(lie: str):
    chance = random.Random(lie)
    cases = [draw(chance, [lie]) for _ in range(20)]
    assert [case for case in cases if silent(case)] == []


@pytest.mark.parametrize("lie", NAMES)
def test_no_lie_makes_a_number_of_a_listing_in_segments_wrong_without_a_word(lie: str):
    chance = random.Random(lie)
    cases = [draw_long(chance, [lie]) for _ in range(5)]
    assert [case for case in cases if silent(case)] == []


def test_without_a_lie_every_number_of_a_listing_in_segments_is_true():
    chance = random.Random(4)
    for case in (draw_long(chance, []) for _ in range(100)):
        assert [(each.wrong, each.error) for each in Judge(case).verdicts()] == [((), None)] * case.scans


def test_no_two_lies_make_a_number_wrong_without_a_word():
    chance = random.Random(2)
    pairs = [pair for pair in combinations(NAMES, 2) if not exclude(*pair)]
    cases = [draw(chance, pair) for pair in pairs]
    assert [case for case in cases if silent(case)] == []


def test_without_a_lie_every_number_is_true():
    chance = random.Random(3)
    for case in (draw(chance, []) for _ in range(300)):
        assert [(each.wrong, each.error) for each in Judge(case).verdicts()] == [((), None)] * case.scans


@pytest.mark.parametrize("lie", ["taken: id ignored", "given: key alone"])
def test_skipped_edges_are_found_in_time(lie: str):
    begun = [Event(1, -1, "begin", number // 2) for number in range(12)]
    verdicts = Judge(Case((lie,), tuple(begun), page_size=3, scans=30)).verdicts()
    assert [verdict for verdict in verdicts[20:] if verdict.wrong or verdict.error] == []


if "LIAR_CASES" in os.environ:

    def test_many_more(record_property):
        chance = random.Random(int(os.environ.get("LIAR_SEED", "0")))
        for number in range(int(os.environ["LIAR_CASES"])):
            lies: list[str] = []
            for _ in range(chance.choice((1, 2, 2, 3, 3))):
                lie = chance.choice(NAMES)
                lies += [lie] if not any(exclude(lie, other) for other in lies) else []
            case = draw(chance, lies)
            assert not silent(case), (number, case)

"""A store that lies in every way: a scan's numbers are true of some moment of it, or it says otherwise.

LIAR_CASES=100000 in the environment draws so many more cases, LIAR_SEED others.
"""

from __future__ import annotations

import os
import random
from itertools import combinations
from typing import NamedTuple

import pytest
from contract.liar import LIES, exclude
from contract.liar_cases import Case, Judge, Wrong, draw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.slow


class NoSign(NamedTuple):
    """What a lie gets past any reader of one listing: `wrong` things, of which `reason` says why."""

    wrong: tuple[str, ...]
    reason: str
    known: bool = False
    """Whether also an upload that an earlier scan sized may be missing without a word."""


NEVER_SEEN = "what no page has ever shown, nobody can ask for by name"
ENDS = "it says that this is the end, as every honest last page does"
NO_SIGN: dict[str, NoSign] = {
    "some never listed": NoSign(("missing",), NEVER_SEEN),
    "size: the last item left out": NoSign(("missing",), NEVER_SEEN),
    "truncated: never": NoSign(("missing",), ENDS),
    "taken: as an index": NoSign(("missing",), NEVER_SEEN),
    "parts: truncated never": NoSign(("size",), ENDS),
}
"""The lies, and nothing else, that may go unsaid."""

PENDING = {
    "ended marker: an empty page",
    "taken: as an index",
    "given: key alone",
    "given: nothing",
    "given: two in turn",
    "key and next item marked",
    "taken: id ignored",
    "taken: key equals",
    "prefix: ignored",
    "prefix: exact keys only",
    "prefix: finds nothing",
    "prefix: refused",
    "restart forgets",
    "restart forgets, exact keys only, by initiation",
    "empty now and then",
    "a page empty now and then",
    "short now and then",
    "some never listed",
    "size: the last item left out",
    "truncated: never",
    "parts: truncated never",
    "nodes in turn",
    "ghosts",
    "some ghosts",
    "ghosts by name, too",
    "keys: trimmed",
    "keys: padded",
    "keys: no control characters",
    "keys: line feeds",
    "parts: old versions, too",
    "parts: marker as an index",
}
"""Lies that the exporter does not see through yet."""

NAMES = sorted(LIES.keys() - PENDING)


def unsaid(case: Case) -> list[list[Wrong]]:
    """Return what is wrong without a word in each scan, and would not have to be."""
    return [
        [each for each in verdict.silent if not _excused(case, each)] for verdict in Judge(case).verdicts()
    ]


def _excused(case: Case, wrong: Wrong) -> bool:
    excuses = [NO_SIGN[lie] for lie in case.lies if lie in NO_SIGN]
    return any(wrong.what in each.wrong and (each.known or not wrong.known) for each in excuses)


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


def test_no_two_lies_make_a_number_wrong_without_a_word():
    chance = random.Random(2)
    pairs = [pair for pair in combinations(NAMES, 2) if not exclude(*pair)]
    cases = [draw(chance, pair) for pair in pairs]
    assert [case for case in cases if silent(case)] == []


def test_without_a_lie_every_number_is_true():
    chance = random.Random(3)
    for case in (draw(chance, []) for _ in range(300)):
        assert [(each.wrong, each.error) for each in Judge(case).verdicts()] == [((), None)] * case.scans


@pytest.mark.skipif("LIAR_CASES" not in os.environ, reason="LIAR_CASES says how many cases more are drawn")
def test_many_more(record_property):
    chance = random.Random(int(os.environ.get("LIAR_SEED", "0")))
    for number in range(int(os.environ["LIAR_CASES"])):
        lies: list[str] = []
        for _ in range(chance.choice((1, 2, 2, 3, 3))):
            lie = chance.choice(NAMES)
            lies += [lie] if not any(exclude(lie, other) for other in lies) else []
        case = draw(chance, lies)
        assert not silent(case), (number, case)

"""Lies that live in the XML, over HTTP and by both engines: never a wrong number without a word."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from contract.liar_cases import Judge, Wrong, draw
from contract.liar_xml import LIES, lie

if TYPE_CHECKING:
    from contract.liar_cases import Case
    from contract.liar_world import Bucket
    from contract.outcomes import Engines
    from contract.rigs import Rig

    from exporter.stores.base import Store

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

KEYS = ("a", "b\x01x", "e\rf", " d e+%41", "a/1")
CASES = 6
"""Number of buckets that each lie is told about, through each engine."""
GONE_ONCE = {"line feeds for carriage returns", "white space around keys"}
"""Keys that no question finds: what is gone once has most likely ended; it is told at the next scan."""


def store_of(rig: Rig, name: str, bucket: Bucket) -> Store:
    lie(rig, bucket, name)
    return rig.store


def unsaid(rig: Rig, case: Case, name: str) -> list[Wrong]:
    judge = Judge(case, partial(store_of, rig, name), concurrency=1, request_timeout=20.0)
    return [
        wrong
        for verdict in judge.verdicts()
        for wrong in verdict.silent
        if not (name in GONE_ONCE and wrong.scans == 0 and case.remember != "nothing")
    ]


@pytest.mark.parametrize("engine", [0, 1], ids=["wire", "boto3"])
@pytest.mark.parametrize("name", LIES)
def test_no_lie_of_xml_makes_a_number_wrong_without_a_word(engines: Engines, name: str, engine: int):
    chance = random.Random(name)
    for _ in range(CASES):
        case = replace(draw(chance, ["keys: padded"], scans=2), keys=KEYS, nodes=False)
        if name == "white space around keys":  # with blanks before them, keys lie outside any prefix
            case = replace(case, prefix=None)
        if name == "U+FFFD":  # at a page's edge no question by name finds such keys
            case = replace(case, page_size=None)
        rig = engines(case.page_size, [])[engine]
        assert (case, unsaid(rig, case, name)) == (case, [])

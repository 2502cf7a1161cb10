"""As tests/unit/test_page_shapes.py, for a million pages: `pytest -s tests/soak/test_readers_agree.py`."""

import os
from collections import Counter
from random import Random

import pytest
from unit.store_pages import LISTINGS, STORES, mutated

from exporter.stores.base import Page

PAGES = int(os.environ.get("PAGES", "1000000"))
PAGES_BEFORE_ALL_IS_FORGOTTEN = 2000
"""What is learned differs each time."""

SHOWN_EVERY = 50_000


@pytest.mark.timeout(0)
def test_a_page_is_what_the_parser_makes_of_it():
    """Shapes are learned from mutated pages, too, of one store or of all in turn."""
    seen: Counter[str] = Counter()
    differ = []
    for number in range(PAGES):
        if number % PAGES_BEFORE_ALL_IS_FORGOTTEN == 0:
            chance = Random(number)
            listing = chance.choice(LISTINGS)
            stores = chance.choice([STORES, *([store] for store in STORES)])
            bodies = [listing.body(chance.choice(stores), chance) for _ in range(100)]
            shapes, parser = listing.shapes(), listing.shapes(0)
            assert [listing.outcome(body, shapes) for body in bodies] == [
                listing.outcome(body, parser) for body in bodies
            ]
        body = mutated(chance.choice(bodies), chance)
        is_matched = shapes.read(body) is not None
        expected = listing.outcome(body, parser)
        is_accepted = isinstance(expected, Page)
        seen[f"{'matched' if is_matched else 'parsed'}, {'accepted' if is_accepted else 'refused'}"] += 1
        if listing.outcome(body, shapes) != expected:
            differ.append((number, body))
        if (number + 1) % SHOWN_EVERY == 0:
            print(f"{number + 1:,} pages, {len(differ)} differ: {dict(seen)}", flush=True)  # noqa: T201
    assert differ[:3] == []

"""Both engines of S3 on generated buckets: the truth; on generated damage: the same."""

from collections.abc import Callable

import pytest
from contract.faults import both
from contract.misbehaviours import FIELDS, PAGING
from contract.outcomes import Engines, outcome
from contract.rigs import PARTS, UPLOADS, Part, Upload, body
from contract.scans import NOW
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

bounded = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
odd = st.sampled_from(
    ["..", ".", "/", "//", "%", "+", " ", "a/../b", "\r", "\n", "\t", "&", "\x00", "\ue000", "ü"]
)
names = st.one_of(texts, st.lists(odd, min_size=1, max_size=4).map("".join))
parts = st.dictionaries(st.integers(1, 10_000), st.integers(0, 5 * 2**40), max_size=4)
xml_texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn"], include_characters="\t\n"),
    min_size=1,
    max_size=12,
).filter(lambda text: text == text.strip())
"""What an upload id may be: XML can hold it, and it has no white space around it."""
ages = st.integers(0, 90 * 86400 * 1000)  # milliseconds


@st.composite
def uploads(draw: st.DrawFn) -> list[Upload]:
    """Return what is in a bucket: ids differ, keys need not."""
    ids = draw(st.lists(xml_texts, max_size=8, unique=True))
    keys = draw(st.lists(names, min_size=1, max_size=8))
    return [
        Upload(
            keys[number % len(keys)],
            upload_id,
            NOW - draw(ages) / 1000,
            draw(st.sampled_from(["STANDARD", "GLACIER", "", "NEW"])),
            [Part(part, size, NOW - draw(ages) / 1000) for part, size in draw(parts).items()],
        )
        for number, upload_id in enumerate(ids)
    ]


page_sizes = st.sampled_from([1, 2, 3, None])


class TestGenerated:
    @bounded
    @given(held=uploads(), page_size=page_sizes)
    def test_buckets_are_counted_and_sized_exactly(
        self, engines: Engines, held: list[Upload], page_size: int | None
    ):
        rigs = engines(page_size, held)
        found = [outcome(rig) for rig in rigs]
        assert found[0] == found[1]
        assert found[0].requests == found[1].requests
        assert found[0].is_true(held)

    @bounded
    @given(
        held=uploads(),
        page_size=page_sizes,
        wrong=st.lists(st.sampled_from(sorted(PAGING | FIELDS)), min_size=1, max_size=3, unique=True),
    )
    def test_misbehaviours_together_come_to_the_same(
        self, engines: Engines, held: list[Upload], page_size: int | None, wrong: list[str]
    ):
        rigs = engines(page_size, held)
        found = []
        for rig in rigs:
            both(*((PAGING | FIELDS)[each] for each in wrong))(rig)
            found.append(outcome(rig))
        assert found[0] == found[1]


PIECES = [
    b"<",
    b">",
    b"&",
    b"\x00",
    b"\xff",
    b"<Upload>",
    b"</Upload>",
    b"<Key>",
    b"true",
    b"1",
    b"]]>",
    b"&#0;",
    b"<!--",
]
edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 9), st.one_of(st.sampled_from(PIECES), st.binary(max_size=3))),
    min_size=1,
    max_size=3,
)


def damaged(how: list[tuple[float, int, bytes]]) -> Callable[[bytes], bytes]:
    """Return what puts some bytes in the place of others."""

    def damage(text: bytes) -> bytes:
        for where, length, piece in how:
            start = int(where * len(text))
            text = text[:start] + piece + text[start + length :]
        return text

    return damage


@bounded
@given(how=edits, operation=st.sampled_from([UPLOADS, PARTS]), page_size=page_sizes)
def test_damaged_pages_come_to_the_same(
    engines: Engines, how: list[tuple[float, int, bytes]], operation: str, page_size: int | None
):
    held = [Upload(f"k{n}", f"u{n}", parts=[Part(part, n) for part in range(1, 4)]) for n in range(5)]
    rigs = engines(page_size, held)
    found = []
    for rig in rigs:
        rig.fault(operation, reply=body(damaged(how)))
        found.append(outcome(rig))
    assert found[0] == found[1]

"""Compares what the exporter said of a bucket with the record: exact, told, or silently wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from servers.matrix.declaration import Server
from servers.matrix.exporter import Said
from servers.matrix.record import Made

CLOCK_SECONDS = 0.1
GRANULARITY_SECONDS = 1.0
"""Dates in listings may be cut to whole seconds."""

EXACT, SILENT = "exact", "SILENT"


@dataclass(frozen=True)
class Verdict:
    """The outcome of one cell: `exact`, `SILENT`, or the word by which the exporter told it; and details."""

    group: str
    cell: str
    outcome: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.group:14} {self.cell:28} {self.outcome:10} {self.detail}".rstrip()


def of_sums(said: Said, alive: Sequence[Made], server: Server, *, with_parts: bool = True) -> tuple[str, str]:
    """Return outcome and detail of a bucket's numbers at rest."""
    wrong = _wrong_sums(said, alive, server, with_parts=with_parts)
    return _outcome(said, wrong)


def of_uploads(said: Said, alive: Sequence[Made], keys: Mapping[str, str]) -> tuple[str, str]:
    """Return outcome and detail of a listed bucket at rest; `keys` are those of the server, by upload id."""
    wrong = _wrong_uploads(said, alive, alive, keys)
    return _outcome(said, wrong)


def of_moving(said: Said, always: Sequence[Made], ever: Sequence[Made]) -> tuple[str, str]:
    """Return outcome and detail of a bucket that changed: all that lived throughout, none that never did."""
    wrong = _wrong_uploads(said, always, ever, {made.upload_id: made.key for made in ever})
    return _outcome(said, wrong)


def _outcome(said: Said, wrong: str) -> tuple[str, str]:
    if said.failed:
        return "failed", said.failed
    if not wrong:
        return EXACT, ""
    if said.told:
        return said.told[0].split()[0], f"{'; '.join(said.told)[:300]} ({wrong})"
    return SILENT, wrong


def _wrong_sums(said: Said, alive: Sequence[Made], server: Server, *, with_parts: bool) -> str:
    wrong = []
    if said.uploads != len(alive):
        wrong.append(f"uploads {said.uploads}, truth {len(alive)}")
    parts, size_bytes = sum(len(made.parts) for made in alive), sum(made.size_bytes for made in alive)
    if with_parts and said.parts != parts:
        wrong.append(f"parts {said.parts}, truth {parts}")
    if with_parts and said.bytes != size_bytes:
        wrong.append(f"bytes {said.bytes}, truth {size_bytes}")
    if server.initiated in _COMPARED and not _COMPARED[server.initiated](said.oldest, alive):
        truth = min((made.asked for made in alive), default=None)
        wrong.append(f"oldest {said.oldest}, truth {truth}")
    return ", ".join(wrong)


def _is_oldest(oldest: float | None, alive: Sequence[Made]) -> bool:
    if oldest is None or not alive:
        return oldest is None and not alive
    first = min(made.asked for made in alive) - GRANULARITY_SECONDS
    return first - CLOCK_SECONDS <= oldest <= min(made.answered for made in alive) + CLOCK_SECONDS


def _is_not_older(oldest: float | None, alive: Sequence[Made]) -> bool:
    if oldest is None or not alive:  # a command that keeps no state has seen none of them before
        return oldest is None
    return oldest >= min(made.asked for made in alive) - CLOCK_SECONDS


_COMPARED = {"exact": _is_oldest, "first sight": _is_not_older}


def _wrong_uploads(said: Said, always: Sequence[Made], ever: Sequence[Made], keys: Mapping[str, str]) -> str:
    by_id = {made.upload_id: made for made in ever}
    lacking = [made for made in always if made.upload_id not in said.found]
    wrong = []
    if lacking:
        wrong.append(
            f"{len(said.found)} of {len(always)} uploads, without {[made.key for made in lacking][:3]}"
        )
    if foreign := [row["key"] for upload_id, row in said.found.items() if upload_id not in by_id]:
        wrong.append(f"{len(foreign)} more, {foreign[:3]}")
    for upload_id, row in said.found.items():
        if made := by_id.get(upload_id):
            wrong += _wrong_row(row, made, keys[upload_id], moving=made not in always)
    return ", ".join(wrong[:4])[:400]


def _wrong_row(row: Mapping[str, object], made: Made, key: str, *, moving: bool) -> list[str]:
    wrong = []
    if row["key"] != key:
        wrong.append(f"key {str(row['key'])[:60]!r}, truth {key[:60]!r}")
    if not moving and (row["parts"], row["bytes"]) != (len(made.parts), made.size_bytes):
        truth = f"truth {len(made.parts)} of {made.size_bytes}"
        wrong.append(f"{key[:40]!r} has {row['parts']} parts of {row['bytes']} bytes, {truth}")
    return wrong

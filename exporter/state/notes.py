"""What a finished scan leaves to the next one, and to the next process, as text."""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, fields, replace
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter

from exporter.model.results import ScanResult, Summary

MOST_GONE = 1000
"""So many uploads found gone are kept over a restart."""


class Notes(NamedTuple):
    """What is noted of one bucket. Times are Unix seconds.

    `gone` are the uploads that the last scan found gone though listed; `refused_at` is when the store last
    refused to list parts, `refusal` what it said, `probes` how often it was asked again since.
    """

    result: ScanResult | None = None
    gone: frozenset[int] = frozenset()
    refused_at: float | None = None
    refusal: str = ""
    probes: int = 0
    refusals: int = 0
    """Uploads newly refused in a row."""


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Result(_Kept):
    summary: dict[str, Any]
    finished: float
    duration: float
    trouble: str


class _Notes(_Kept):
    result: _Result | None
    gone: frozenset[int]
    refused_at: float | None
    refusal: str
    probes: int
    refusals: int


_FIELDS = {field.name for field in fields(Summary)}
_NEEDED = {field.name for field in fields(Summary) if field.default is MISSING}
"""What every version had; where a later one has more, an earlier one did not know it."""
_SUMMARY = TypeAdapter(Summary)


def write_notes(notes: Notes) -> str:
    """Return the notes as JSON."""
    plain = notes._asdict()
    plain["gone"] = sorted(notes.gone)[:MOST_GONE]
    plain["result"] = _plain(notes.result) if notes.result else None
    return json.dumps(plain)


def read_notes(text: str) -> Notes:
    """Return the notes of a JSON text; what cannot be understood was never noted."""
    try:
        return _read(_Notes.model_validate_json(text))
    except ValueError:  # pydantic's own error is one
        return Notes()


def _plain(result: ScanResult) -> dict[str, object]:
    plain = asdict(replace(result, worst=None))  # keys of uploads are not for keeping
    del plain["worst"], plain["requests"]
    return plain


def _read(kept: _Notes) -> Notes:
    plain = dict(kept)
    if kept.result is not None:
        if not _NEEDED <= set(kept.result.summary) <= _FIELDS:
            raise ValueError("a summary of another version")
        summary = _SUMMARY.validate_python(kept.result.summary)
        plain["result"] = ScanResult(**dict(kept.result) | {"summary": summary})
    return Notes(**plain)

"""What a finished scan leaves to the next one, and to the next process, as text."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any, NamedTuple

from exporter.board import ScanResult
from exporter.summary import Summary

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


def write_notes(notes: Notes) -> str:
    """Return the notes as JSON."""
    plain = notes._asdict()
    plain["gone"] = sorted(notes.gone)[:MOST_GONE]
    plain["result"] = asdict(notes.result) if notes.result else None
    return json.dumps(plain)


def read_notes(text: str) -> Notes:
    """Return the notes of a JSON text; what cannot be understood was never noted."""
    try:
        plain = json.loads(text)
        return Notes(
            result=_read_result(plain["result"]),
            gone=frozenset(plain["gone"]),
            refused_at=plain["refused_at"],
            refusal=plain["refusal"],
            probes=plain["probes"],
            refusals=plain["refusals"],
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return Notes()


def _read_result(plain: dict[str, Any] | None) -> ScanResult | None:
    if plain is None:
        return None
    found = plain.pop("summary")
    if set(found) != {field.name for field in fields(Summary)}:
        raise ValueError("a summary of another version")
    found["age_counts"] = tuple(found["age_counts"])
    found["bytes_by_class"] = tuple((name, size) for name, size in found["bytes_by_class"])
    return ScanResult(Summary(**found), **plain)

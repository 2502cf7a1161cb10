"""What the ledger stores of a bucket besides its uploads, as JSON in the state file."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import NamedTuple

from exporter.model.boundaries import Boundaries
from exporter.model.results import ScanResult, Summary
from exporter.state.stored_json import read_record

MAX_ENDED = 1000
"""Maximum number of ended uploads that are stored, and of denied ones."""


class RefusalState(NamedTuple):
    """The state of the breaker of refused ListParts calls. `refused_at` is Unix seconds, None while closed.

    `message` is the store's answer, `probes` the number of probes that failed since it opened, `consecutive`
    that of uploads newly refused without a success in between.
    """

    refused_at: float | None = None
    message: str = ""
    probes: int = 0
    consecutive: int = 0


class ListingTraits(NamedTuple):
    """How the store was seen to list a bucket; each field has a default, for files of earlier versions.

    `skips_edges`: it skips or refuses its own markers, so that the edge of each page is asked by name.
    `prefix_is_broken`: it does not list all uploads of a prefix, so that everything is listed and filtered;
    `prefix_checked_at` is when that was last checked (Unix seconds). `hiding_since` is when the listing was
    first seen to hide uploads, None while it does not. `honest_scans` counts the scans in a row whose missing
    uploads had all ended. `lists_by_key`: it was seen to list an upload by its key. `usual_missing`
    is the largest number of uploads that had lately ended from one scan to the next. `one_stream_until` is
    until when it is not listed in segments, which were found not to be exact (Unix seconds).
    """

    skips_edges: bool = False
    prefix_is_broken: bool = False
    prefix_checked_at: float | None = None
    hiding_since: float | None = None
    honest_scans: int = 0
    lists_by_key: bool = False
    usual_missing: float = 0.0
    one_stream_until: float | None = None


class Notes(NamedTuple):
    """One bucket's notes. `ended` are the row ids of uploads that were listed but no longer there.

    `denied` are those of uploads that were listed and denied by all other questions. `boundaries` are where
    the next listing can be cut.
    """

    result: ScanResult | None = None
    ended: frozenset[int] = frozenset()
    refusals: RefusalState = RefusalState()
    denied: frozenset[int] = frozenset()
    traits: ListingTraits = ListingTraits()
    boundaries: Boundaries = Boundaries()


class _StoredResult(NamedTuple):
    """The names are those of the file's format; here and below."""

    summary: Summary
    finished: float
    duration: float
    trouble: str
    notices: tuple[str, ...] = ()


class _StoredNotes(NamedTuple):
    result: _StoredResult | None
    gone: frozenset[int]
    refused_at: float | None
    refusal: str
    probes: int
    refusals: int
    denied: frozenset[int] = frozenset()
    listing: ListingTraits = ListingTraits()
    boundaries: Boundaries = Boundaries()


def write_notes(notes: Notes) -> str:
    """Return the notes as JSON."""
    stored: dict[str, object] = {
        "result": _write_result(notes.result) if notes.result else None,
        "gone": sorted(notes.ended)[:MAX_ENDED],
        "refused_at": notes.refusals.refused_at,
        "refusal": _valid(notes.refusals.message),
        "probes": notes.refusals.probes,
        "refusals": notes.refusals.consecutive,
        "denied": sorted(notes.denied)[:MAX_ENDED],
        # what is as usual is left out: earlier versions take no field that they do not know
        "listing": _changed(notes.traits, ListingTraits()),
    }
    if notes.boundaries.keys:
        stored["boundaries"] = _changed(notes.boundaries, Boundaries())
    return json.dumps(stored)


def _changed(values: ListingTraits | Boundaries, usual: ListingTraits | Boundaries) -> dict[str, object]:
    return {name: value for name, value in values._asdict().items() if value != getattr(usual, name)}


def read_notes(text: str) -> Notes:
    """Return the notes of a JSON text; empty ones where it is not valid."""
    try:
        stored = read_record(_StoredNotes, json.loads(text))
    except (ValueError, OverflowError, RecursionError):
        return Notes()
    result = _read_result(stored.result) if stored.result else None
    refusals = RefusalState(stored.refused_at, stored.refusal, stored.probes, stored.refusals)
    return Notes(result, stored.gone, refusals, stored.denied, stored.listing, stored.boundaries)


def _write_result(result: ScanResult) -> dict[str, object]:
    summary = asdict(result.summary)
    del summary["age_bytes"]  # earlier versions take no field that they do not know, and only pages show it
    del summary["unexamined"]  # likewise, and no result of an earlier process is shown as complete
    return {
        "summary": summary,
        "finished": result.finished,
        "duration": result.duration,
        "trouble": _valid(result.warning),
        "notices": [_valid(notice) for notice in result.notices],
    }


def _valid(text: str) -> str:
    """Return a text with lone surrogates escaped: they can be written as JSON, and not read."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _read_result(stored: _StoredResult) -> ScanResult:
    return ScanResult(
        stored.summary, stored.finished, stored.duration, warning=stored.trouble, notices=stored.notices
    )

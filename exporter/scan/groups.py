"""A bucket's uploads by what they have in common: found uploads in, the largest groups out."""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

from exporter.model.results import Group
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import TopSettings
    from exporter.model.uploads import Found

MOST_GROUPS = 10_000
"""A bucket with more is told nothing about: its groups could no longer be counted exactly."""
LONGEST_NAME = 100
_ROLE = ":assumed-role/"
"""What stands before a role's name and, after a slash, its session's."""

Counts = dict[str, list[int]]
"""By the group's name: its uploads, those of which the bytes are known, and these bytes."""


class Groups:
    """Counts one scan's uploads by the groups that a target asks for. For one thread."""

    def __init__(self, top: TopSettings) -> None:
        """Begin with no upload."""
        self._limit = top.limit
        ways: dict[str, Callable[[Found], str]] = {
            "prefix": partial(_prefix, depth=top.depth),
            "initiator": _initiator,
        }
        self._ways = [(by, ways[by]) for by in dict.fromkeys(top.by)]
        self._counts: dict[str, Counts | None] = {by: {} for by in top.by}

    def add(self, found: Found) -> None:
        """Count an upload."""
        for by, name_of in self._ways:
            counts = self._counts[by]
            if counts is None:
                continue
            name = name_of(found)
            group = counts.get(name)
            if group is None:
                if len(counts) >= MOST_GROUPS:
                    self._counts[by] = None
                    continue
                group = counts[name] = [0, 0, 0]
            group[0] += 1
            if found.bytes is not None:
                group[1] += 1
                group[2] += found.bytes

    @property
    def too_many(self) -> list[str]:
        """By what the uploads have too many groups."""
        return [by for by, counts in self._counts.items() if counts is None]

    def largest(self, by: str, uploads: int, *, sizes_known: bool) -> tuple[Group, ...] | None:
        """Return the largest groups, and as '' all others of the bucket's `uploads`.

        They are ordered by bytes, then by uploads, then by name. None where there are too many, or nobody
        asked for them.
        """
        counts = self._counts.get(by)
        if counts is None:
            return None
        named = sorted(name for name in counts if name)
        named.sort(key=lambda name: (counts[name][2], counts[name][0]), reverse=True)
        shown = [_group(name, *counts[name]) for name in named[: self._limit]]
        others = [counts[name] for name in (*named[self._limit :], *([""] if "" in counts else []))]
        rest = uploads - sum(group.uploads for group in shown)
        sized, size = sum(group[1] for group in others), sum(group[2] for group in others)
        groups = (*shown, _group("", rest, sized, size))
        return groups if sizes_known else tuple(group._replace(bytes=None) for group in groups)


def _group(name: str, uploads: int, sized: int, size: int) -> Group:
    return Group(name, uploads, size if sized or not uploads else None)


def _prefix(found: Found, depth: int) -> str:
    """Return the folders that a key begins with, at most so many; '' where it is in none."""
    key = found.upload.key
    rest = key.split("/", depth)[-1]
    return _label(key[: len(key) - len(rest)])


def _initiator(found: Found) -> str:
    """Return who began an upload; sessions of a role are one."""
    account, role, name = found.upload.initiator.partition(_ROLE)
    return _label(account + role + (name.partition("/")[0] if role else ""))


def _label(text: str) -> str:
    """Return a text that a stranger chose as a label can carry it: printable, and not long."""
    text = one_line(text)
    if len(text) <= LONGEST_NAME:
        return text
    digest = blake2b(text.encode(), digest_size=4).hexdigest()
    return f"{text[: LONGEST_NAME - 9]}~{digest}"

"""Uploads in; the largest groups of a bucket out, by key prefix and by initiator."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from exporter.model.results import Group
from exporter.text.labels import label_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.target_sections import TopSettings
    from exporter.model.uploads import CountedUpload

MAX_GROUPS = 10_000
"""Maximum number of groups that are counted; a bucket with more has none shown."""
_ROLE = ":assumed-role/"
"""Is followed by a role's name, a slash, and the session's name."""

Counts = dict[str, list[int]]
"""By group name: the number of uploads, that of sized uploads, and the bytes of these."""


class Groups:
    """Counts one scan's uploads by the groups that a target asks for. For one thread."""

    def __init__(self, top: TopSettings) -> None:
        """Make it empty."""
        self._limit = top.limit
        name_functions: dict[str, Callable[[CountedUpload], str]] = {
            "prefix": partial(_prefix, depth=top.depth),
            "initiator": _initiator,
        }
        self._name_functions = [(by, name_functions[by]) for by in dict.fromkeys(top.by)]
        self._counts: dict[str, Counts | None] = {by: {} for by in top.by}

    def add(self, found: CountedUpload) -> None:
        """Count an upload, unless the store denies it."""
        if found.denied:
            return
        for by, name_of in self._name_functions:
            counts = self._counts[by]
            if counts is None:
                continue
            name = name_of(found)
            group = counts.get(name)
            if group is None:
                if len(counts) >= MAX_GROUPS:
                    self._counts[by] = None
                    continue
                group = counts[name] = [0, 0, 0]
            group[0] += 1
            if found.bytes is not None:
                group[1] += 1
                group[2] += found.bytes

    @property
    def overflowed(self) -> list[str]:
        """The kinds of groups ("prefix", "initiator") of which there are more than MAX_GROUPS."""
        return [by for by, counts in self._counts.items() if counts is None]

    def largest(self, by: str, uploads: int, *, sizes_known: bool) -> tuple[Group, ...] | None:
        """Return the largest groups, and last one named '' of all others of the bucket's `uploads`.

        They are ordered by bytes, then by uploads, then by name. None where there are too many groups, or the
        settings do not ask for them.
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


def _prefix(found: CountedUpload, depth: int) -> str:
    """Return the first `depth` folders of a key, or as many as it has; '' for none."""
    key = found.upload.key
    rest = key.split("/", depth)[-1]
    return label_value(key[: len(key) - len(rest)])


def _initiator(found: CountedUpload) -> str:
    """Return the initiator of an upload; a role session is cut after the role's name."""
    account, role, name = found.upload.initiator.partition(_ROLE)
    return label_value(account + role + (name.partition("/")[0] if role else ""))

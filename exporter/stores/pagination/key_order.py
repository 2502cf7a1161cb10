"""The order of keys in which a store lists uploads, as far as its pages show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ENDINGS = ("", ".", ".2~")
"""What stores add to each key where they compare: nothing, a dot, or that and what Ceph's ids begin with."""


class KeyOrder:
    """The orders that all pages so far agree with. Keys are compared by code point, which is as UTF-8.

    Uploads of one key may follow each other in any way.
    """

    def __init__(self, endings: Sequence[str] = ENDINGS) -> None:
        """Make it of the endings that are still possible."""
        self.endings = tuple(endings)

    def add(self, keys: Sequence[str], before: str | None = None) -> None:
        """Rule out the orders that a page's keys contradict; `before` is the last key of the page before."""
        if not self.endings:
            return
        in_a_row = list(keys) if before is None else [before, *keys]
        if not _is_plain(in_a_row):
            self.endings = tuple(end for end in self.endings if _is_sorted(in_a_row, end))

    def is_past(self, key: str, other: str) -> bool | None:
        """Whether a key comes after another; None where that depends on which order it is."""
        answers = {key + end > other + end for end in self.endings}
        return answers.pop() if len(answers) == 1 else None


def _is_plain(keys: list[str]) -> bool:
    """Whether keys are in order whatever is added: sorted, and none begins with the one before it."""
    return sorted(keys) == keys and not any(map(str.startswith, keys[1:], keys))


def _is_sorted(keys: list[str], end: str) -> bool:
    compared = [key + end for key in keys] if end else keys
    return sorted(compared) == compared

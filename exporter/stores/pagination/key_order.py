"""The order of keys in which a store lists uploads, as far as its pages show it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ENDINGS = ("", ".", ".2~")
"""What stores add to each key where they compare: nothing, a dot, or that and what Ceph's ids begin with."""
UTF_16 = "utf-16"
"""Stands for nothing added and keys compared as UTF-16, as Azure does it: U+1F600 is before U+FF21."""
PLAIN_ENDINGS = ("", UTF_16)
"""Of stores that list more than uploads, which add nothing."""
_OTHER_IN_UTF_16 = re.compile("[\ud800-\U0010ffff]")


class KeyOrder:
    """The orders that all pages so far agree with. Keys are compared by code point, which is as UTF-8.

    Where an ending is `UTF_16`, they are compared as that. Uploads of one key may follow each other in any
    way.
    """

    def __init__(self, endings: Sequence[str] = ENDINGS) -> None:
        """Make it of the endings that are still possible."""
        self.endings = tuple(endings)

    def add(self, keys: Sequence[str], before: str | None = None) -> None:
        """Rule out the orders that a page's keys contradict; `before` is the last key of the page before."""
        if not self.endings:
            return
        in_a_row = list(keys) if before is None else [before, *keys]
        if not _is_plain(in_a_row) or UTF_16 in self.endings:
            self.endings = tuple(end for end in self.endings if _is_sorted(in_a_row, end))

    def is_past(self, key: str, other: str) -> bool | None:
        """Whether a key comes after another; None where that depends on which order it is."""
        answers = {compared(key, end) > compared(other, end) for end in self.endings}
        return answers.pop() if len(answers) == 1 else None

    def place(self, key: str) -> str:
        """Return a text to compare a key by, in the first order that is still possible."""
        return compared(key, self.endings[0]) if self.endings else key


def compared(key: str, ending: str) -> str:
    """Return the text that a key is compared by where this is the ending."""
    return key + ending if ending != UTF_16 else key.encode("utf-16-be", "surrogatepass").decode("latin-1")


def _is_plain(keys: list[str]) -> bool:
    """Whether keys are in order whatever is added: sorted, and none begins with the one before it."""
    return sorted(keys) == keys and not any(map(str.startswith, keys[1:], keys))


def _is_sorted(keys: list[str], end: str) -> bool:
    if end == UTF_16 and not _OTHER_IN_UTF_16.search("".join(keys)):
        end = ""
    places = [compared(key, end) for key in keys] if end else keys
    return sorted(places) == places

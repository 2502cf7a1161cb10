"""What an error says to people: a short line of text that any terminal and log takes, without keys."""

from __future__ import annotations

import re

from exporter.model.errors import Failure, Reason, StoreError

MAX_LENGTH = 2000
_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}")


def check_told(error: StoreError) -> None:
    """Raise AssertionError where an error says more, or less, than it may."""
    text = str(error)
    assert isinstance(error.reason, Reason)
    assert error.reason is not Reason.INTERNAL
    assert Failure.of(error).message == text
    check_line(text)
    assert not _ACCESS_KEY.search(text), "an access key is told"


def check_line(text: str) -> None:
    """Raise AssertionError unless a text is one line that is printable throughout."""
    assert text.strip()
    assert len(text) < MAX_LENGTH, "too long"
    assert text.isprintable(), "not printable"
    text.encode()

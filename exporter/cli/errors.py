"""What is wrong with how a command was called."""

from __future__ import annotations


class UsageError(Exception):
    """What is wrong with a command's flags, for people."""

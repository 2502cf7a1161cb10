"""Errors of the command line."""

from __future__ import annotations


class UsageError(Exception):
    """A command was called wrongly; the text says what to change."""

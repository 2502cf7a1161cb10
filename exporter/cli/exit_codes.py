"""Exit codes of the commands."""

OK, USAGE_ERROR, TARGET_FAILED = 0, 1, 2
SIGNAL_BASE = 128
"""A command interrupted by signal N exits with this plus N, as shells report it."""

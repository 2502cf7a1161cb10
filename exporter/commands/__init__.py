"""One file per command: `run` takes the flags and returns the exit code."""

"""One file per command: `run` takes the parsed flags and returns the exit code."""

"""Runs many calls of one bucket at once: retries, pauses, deadlines, concurrency and rate limits."""

"""Runs many calls of one bucket at once: retries, pauses, deadlines, concurrency and rate limits.

Calls go over libcurl on the scan's thread (`wire`), or through an SDK on threads of their own (`threads`).
"""

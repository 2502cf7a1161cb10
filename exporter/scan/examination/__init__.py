"""Checks by name of what a listing says: what it hides, denies, or loses between pages or under a prefix."""

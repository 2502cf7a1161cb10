"""Frozen records, and the errors, that rooms hand each other.

Offers: `abort`, `boundaries`, `cost`, `errors`, `results`, `scarcity`, `targets`, `top_uploads`, `uploads`.
"""

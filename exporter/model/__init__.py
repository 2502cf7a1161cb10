"""Frozen records, and the errors, that rooms hand each other.

Offers: `cost`, `errors`, `results`, `targets`, `top_uploads`, `uploads`.
"""

"""Frozen records, and the errors, that rooms hand each other.

Offers: `abort`, `boundaries`, `cost`, `errors`, `results`, `targets`, `top_uploads`, `uploads`.
"""

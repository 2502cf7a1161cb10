"""One bucket in, one ScanResult out: listing, sizing, sums.

Offers: `enrich`, `forecast`, `questions`, `scanner`.
"""

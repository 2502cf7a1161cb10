"""One bucket in, one ScanResult out: listing, sizing, cross-examination, sums.

Offers: `enrich`, `examination.questions`, `forecast`, `scanner`.
"""

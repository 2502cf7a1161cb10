"""One bucket in, one ScanResult out: listing, sizing, cross-examination, sums.

Offers: `enrich`, `examination.cross_examination`, `examination.prefix_check`,
`examination.questions`, `forecast`, `reported_uploads`, `scanner`.
"""

"""Text in; readable, quoted or redacted text out.

Offers: `humanize`, `labels`, `quoting`, `redaction`.
"""

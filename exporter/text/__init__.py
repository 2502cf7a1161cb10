"""Text in; readable, quoted or redacted text out.

Offers: `humanize`, `quoting`, `redaction`.
"""

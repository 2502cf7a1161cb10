"""Text in; readable, quoted or redacted text out.

Offers: `file_limit`, `humanize`, `labels`, `quoting`, `redaction`.
"""

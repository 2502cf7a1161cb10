"""Arguments in, exit code out: commands, flags, one-shot runs, output formats, terminal, demo.

Offers: `main`, `start`.
"""

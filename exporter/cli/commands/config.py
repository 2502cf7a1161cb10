"""`config`: prints the example config or the JSON Schema that ship with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.errors import UsageError
from exporter.cli.exit_codes import OK
from exporter.cli.standard_output import write_standard

if TYPE_CHECKING:
    import argparse


def run(options: argparse.Namespace) -> int:
    """Print the document that is named. Raises UsageError."""
    if options.document == "example":
        from exporter.config.example import make_example  # noqa: PLC0415 - the schema does without

        write_standard(make_example(options.store).encode())
        return OK
    if options.store:
        raise UsageError("--store: there is one schema for all stores: leave the flag out")
    from exporter.config.schema import SCHEMA_FILE  # noqa: PLC0415 - the example does without

    write_standard(SCHEMA_FILE.read_bytes())
    return OK

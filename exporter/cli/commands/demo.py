"""`demo`: shows the exporter at work on a server of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.commands.serve import serve
from exporter.cli.demo.run import run_demo
from exporter.cli.signals import exit_quietly, handle_termination

if TYPE_CHECKING:
    import argparse


def run(options: argparse.Namespace) -> int:
    """Start the server, leave uploads on it and serve them."""
    handle_termination(exit_quietly)
    return run_demo(options, serve)

"""`demo`: shows the exporter at work on a server of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.commands.serve import serve
from exporter.cli.demo import run_demo
from exporter.cli.exit import leave, on_signals

if TYPE_CHECKING:
    import argparse


def run(options: argparse.Namespace) -> int:
    """Start the server, leave uploads on it and serve them."""
    on_signals(leave)
    return run_demo(options, serve)

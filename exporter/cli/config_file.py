"""Reads the config for a command that runs once, and tells what is likely meant otherwise."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exporter.cli.standard_output import write_error
from exporter.config.advice import find_advice
from exporter.config.load import load
from exporter.config.problems import show_file

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.config.settings import Settings


def read_config(file: Path) -> Settings:
    """Return the settings; advice goes to standard error, a line each. Raises ConfigError."""
    settings = load(file, os.environ)
    for text in find_advice(settings):
        write_error(f"{show_file(file)}: {text}")
    return settings

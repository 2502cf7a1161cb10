"""A config file in, Settings out, or every problem of the file at once."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from exporter.config.cross_checks import find_faults
from exporter.config.document import read_document
from exporter.config.file_checks import find_file_faults
from exporter.config.problems import make_error
from exporter.config.resolve import resolve
from exporter.config.settings import Settings
from exporter.config.validate import validate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


_IF_MISSING = "check the path and its permissions; mpu-exporter config example prints one to begin with"


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Return the settings of a config file. Raises ConfigError with every problem in it, sorted by line.

    A path of - is standard input, as a file of the working folder. Variables are read from `environ`; files
    named in the config are looked for from the config file's folder.
    """
    document = read_document(path, environ, if_missing=_IF_MISSING)
    file = validate(document, Settings)
    for where, text in chain(find_faults(document.data), find_file_faults(document.data, path.parent)):
        document.add(where, text)
    if file is None or document.problems:
        raise make_error(path, document.problems)
    return resolve(file, path.parent.absolute())

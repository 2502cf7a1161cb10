"""Commands of the exporter as processes, on stand-in S3 servers."""

import json
import subprocess
import sys
from pathlib import Path

from servers.exporter import SECRET_KEY


def command(name: str, folder: Path, *targets: dict[str, object], flags: tuple[str, ...] = ()) -> list[str]:
    """Return the command line that runs it on these targets."""
    file = folder / "config.yaml"
    scan = {"retries": 0, "request_timeout": "20s"}
    file.write_text(json.dumps({"scan": scan, "targets": targets}))
    return [sys.executable, "-m", "exporter", name, f"--config.file={file}", *flags]


def run(
    name: str, folder: Path, *targets: dict[str, object], flags: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run it in a pipe, and return what it wrote and with which code it ended."""
    line = command(name, folder, *targets, flags=flags)
    done = subprocess.run(line, capture_output=True, encoding="utf-8", timeout=120, check=False, cwd=folder)
    assert SECRET_KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def cells(text: str) -> dict[tuple[str, ...], list[str]]:
    """Return a table's rows by their first two cells."""
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()[1:]]
    return {(row[0], row[1]): row[2:] for row in rows}

"""The systemd units in docs/operations.md, by systemd-analyze: they are understood, and give away little."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from docs.documents import GUIDE, blocks
from servers import need

from exporter.cli import main as cli

if TYPE_CHECKING:
    from pathlib import Path

HEAD = re.compile(r"# /etc/systemd/system/([\w.-]+)\n")
UNITS = {match[1]: text for text in blocks(GUIDE["operations"], "ini") if (match := HEAD.match(text))}
SERVICES = [name for name in UNITS if name.endswith(".service")]
TARGETS = [
    f"{name}.target" for name in ("basic", "multi-user", "network-online", "shutdown", "sysinit", "timers")
]
EXPOSED = 1.5
"""At most so much of 10, by systemd-analyze: OK. Services without any protection have 9.6."""


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze on the units, with the programs that they name there."""
    need("systemd-analyze")
    system = folder / "etc/systemd/system"
    system.mkdir(parents=True)
    for name, text in (
        UNITS | dict.fromkeys(TARGETS, "[Unit]\nDescription=stands for the system's\n")
    ).items():
        (system / name).write_text(text, encoding="utf-8")
    for program in ("opt/mpu-exporter/bin/mpu-exporter", "bin/kill"):
        (folder / program).parent.mkdir(parents=True, exist_ok=True)
        (folder / program).touch(mode=0o755)
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, cwd=system, capture_output=True, text=True, timeout=60, check=False)


def test_they_are_a_server_and_a_scan_with_its_timer():
    assert [*UNITS] == ["mpu-exporter.service", "mpu-exporter-scan.service", "mpu-exporter-scan.timer"]


def test_systemd_understands_every_line(tmp_path: Path):
    done = analyze(tmp_path, "verify", "--man=no", f"--root={tmp_path}", *UNITS)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_exposed_to_little(name: str, tmp_path: Path):
    done = analyze(tmp_path, "security", "--offline=true", f"--threshold={EXPOSED * 10:.0f}", name)
    told = re.findall(r"^→ Overall exposure level for \S+: ([\d.]+)", done.stdout, re.MULTILINE)
    assert (done.returncode, [float(level) <= EXPOSED for level in told]) == (0, [True]), done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_the_exporter_understands_what_they_start(name: str):
    [line] = re.findall(r"^ExecStart=/opt/mpu-exporter/bin/mpu-exporter (.*)$", UNITS[name], re.MULTILINE)
    assert cli.parser().parse_args(line.split()).command == {"mpu-exporter.service": "serve"}.get(
        name, "scan"
    )

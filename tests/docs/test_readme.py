"""README.md: short, the two commands first, and what it names exists."""

from __future__ import annotations

import re

import yaml
from docs.documents import DOCUMENTS, README, ROOT, blocks

from exporter import __version__

LINES, KILOBYTES = 130, 8


def test_it_is_short():
    assert len(README.splitlines()) <= LINES
    assert len(README.encode()) <= KILOBYTES * 1024


def test_the_two_commands_come_first():
    first, second, *_ = blocks(README, "sh")
    demo = "python3 -m venv .venv && .venv/bin/pip install '.[demo]' && .venv/bin/mpu-exporter demo\n"
    assert (first, second) == (demo, "./tests/run\n")


def test_it_says_that_values_are_as_of_the_last_scan():
    assert "**Values are as of the last scan**" in README


def test_what_is_installed_is_this_version_and_not_said_to_be_there_before_its_release():
    section = README.partition("\n## Install\n")[2].partition("\n## ")[0]
    assert set(re.findall(r":(\d+\.\d+\.\d+)$", section, re.MULTILINE)) == {__version__}
    is_released = f"## {__version__} (unreleased)" not in DOCUMENTS["CHANGELOG.md"]
    assert (f"{__version__} is not released yet" in section) != is_released


def test_alerts_that_it_names_exist():
    values = yaml.safe_load((ROOT / "helm/mpu-exporter/values.yaml").read_text(encoding="utf-8"))
    named = set(re.findall(r"`(Mpu\w+)`", README))
    assert len(named) == 3
    assert named <= values["alerts"]["rules"].keys()

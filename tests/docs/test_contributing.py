"""CONTRIBUTING.md and what maintainers keep: folders of tests, reasons of dependencies, the changelog."""

from __future__ import annotations

import re
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest
from docs.documents import DOCUMENTS, GUIDE, ROOT, blocks

from exporter import __version__

if TYPE_CHECKING:
    from pathlib import Path

KILOBYTES = 6
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
ENTRY = r"\[(CHANGE|FEATURE|ENHANCEMENT|BUGFIX)\] [A-Z`]"


def requirements() -> list[str]:
    """Return what pyproject.toml requires for running, building and every extra, its own extras apart."""
    settings = tomllib.loads(PYPROJECT)
    project = settings["project"]
    lists = (settings["build-system"]["requires"], project["dependencies"])
    extras = project["optional-dependencies"].values()
    return [text for texts in (*lists, *extras) for text in texts if not text.startswith(project["name"])]


def test_it_is_short():
    assert len(DOCUMENTS["CONTRIBUTING.md"].encode()) <= KILOBYTES * 1024


@pytest.mark.parametrize("requirement", sorted(set(requirements())))
def test_each_dependency_has_its_reason_beside_it(requirement: str):
    lines = [line for line in PYPROJECT.splitlines() if f'"{requirement}"' in line]
    assert len(lines) == requirements().count(requirement)
    assert [line for line in lines if not re.search(r'",? # \w.+', line)] == []


def test_every_folder_of_tests_is_explained():
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders <= set(re.findall(r"tests/(\w+)", DOCUMENTS["CONTRIBUTING.md"]))


def test_the_changelog_has_this_version_and_only_known_kinds():
    changelog = DOCUMENTS["CHANGELOG.md"]
    assert f"\n## {__version__}" in changelog
    entries = re.findall(r"^- (.*)$", changelog, re.MULTILINE)
    assert entries
    assert [entry for entry in entries if not re.match(ENTRY, entry)] == []


def test_the_lines_of_the_changelog_come_out_of_the_commits(tmp_path: Path):
    [collect] = [text for text in blocks(GUIDE["releasing"], "sh") if text.startswith("git log ")]
    messages = (
        "Old\n\nChangelog: [BUGFIX] Released before.",
        "A store\n\nWhy.\n\nChangelog: [FEATURE] A store whose line\n goes on in the next.",
        "Nothing that users notice",
        "Two\n\nChangelog: [CHANGE] One.\nChangelog: [BUGFIX] Other.",
    )
    commit = "git -c user.name=n -c user.email=e commit --quiet --allow-empty --message"
    commits = [f"{commit} '{message}'" for message in messages]
    script = "\n".join(("set -e", "git init --quiet .", *commits, "git tag v1.2.2 HEAD~3", collect))
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "- [FEATURE] A store whose line goes on in the next.",
        "- [CHANGE] One.",
        "- [BUGFIX] Other.",
    ]

"""CONTRIBUTING.md names every file and every dependency, and no other."""

from __future__ import annotations

import re
import tomllib

from docs.documents import CHANGELOG, CONTRIBUTING, ROOT, code, table

from exporter import __version__


def dependencies() -> set[tuple[str, str]]:
    """Return each package of pyproject.toml and what it is for."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    lists = {
        "running": project["dependencies"],
        "building": settings["build-system"]["requires"],
        **project["optional-dependencies"],
    }
    found = {(re.match(r"[\w.-]+", text)[0], use) for use, texts in lists.items() for text in texts}
    return {(name, use) for name, use in found if name != project["name"]}


def test_the_table_of_dependencies_is_pyproject():
    rows = table(CONTRIBUTING, "package", "for", "why")
    assert dependencies() == {(code(name)[0], use) for name, use, _ in rows}
    assert all(why for *_, why in rows)


def test_the_table_of_tests_names_every_folder():
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} - {"__pycache__"}
    text = "\n".join(CONTRIBUTING.partition("## The house")[0].splitlines())
    assert folders <= set(re.findall(r"tests/(\w+)", text))


def test_the_changelog_has_this_version_and_only_known_kinds():
    assert f"\n## {__version__}" in CHANGELOG
    entries = re.findall(r"^- (.*)$", CHANGELOG, re.MULTILINE)
    assert entries
    assert all(re.match(r"\[(CHANGE|FEATURE|ENHANCEMENT|BUGFIX)\] [A-Z`]", entry) for entry in entries)

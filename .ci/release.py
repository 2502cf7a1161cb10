#!/usr/bin/env python3
"""Print the notes of a release, `release.py v1.2.3`, once all that names a version agrees with the tag."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACES = {
    "exporter/__init__.py": r'^__version__ = "(.*)"$',
    "helm/mpu-exporter/Chart.yaml": r'^(?:version|appVersion): "?([^"\n]*)"?$',
}


def notes(tag: str, root: Path = ROOT) -> str:
    """Return the notes; raises ValueError with all that does not fit the tag."""
    version = tag.removeprefix("v")
    named = [
        (place, found)
        for place, pattern in PLACES.items()
        for found in re.findall(pattern, (root / place).read_text(), re.MULTILINE)
    ]
    wrong = [f"{place} has {found}" for place, found in named if found != version]
    changelog = (root / "CHANGELOG.md").read_text()
    dated = rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)\n+(.*?)(?=^## |\Z)"
    section = re.search(dated, changelog, re.MULTILINE | re.DOTALL)
    if section is None:
        wrong.append(f"CHANGELOG.md has no heading '## {version} (YYYY-MM-DD)'")
    if not tag.startswith("v"):
        wrong.append("a tag begins with v")
    if section is None or wrong:
        raise ValueError(f"{tag} cannot be released: {'; '.join(wrong)}")
    return section[1].strip() + "\n"


if __name__ == "__main__":
    try:
        sys.stdout.write(notes(sys.argv[1]))
    except ValueError as error:
        sys.exit(str(error))

"""What the forge runs: the workflows by their linters, and the check that all versions are the tag's."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WORKFLOWS: dict[str, dict[str, Any]] = {file.stem: yaml.safe_load(file.read_text()) for file in FILES}
JOBS = [(name, job) for name, flow in WORKFLOWS.items() for job in flow["jobs"].values()]
PLACES = ("exporter/__init__.py", "helm/mpu-exporter/Chart.yaml", "CHANGELOG.md")


def run(*command: str | Path) -> tuple[int, str]:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def tool(name: str) -> str:
    """Return where a linter of the test extra is."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    assert found, f"{name} comes with the test extra"
    return found


def test_actionlint_finds_nothing_and_shellcheck_nothing_in_their_scripts():
    assert run(tool("actionlint"), "-no-color", "-shellcheck", tool("shellcheck"), *FILES) == (0, "")


def test_shellcheck_finds_nothing_in_scripts():
    names = (".ci/run", "tests/run", "tests/servers/packages.sh", "tests/bench/run")
    scripts = [*(ROOT / name for name in names), *(ROOT / "findings").glob("*.sh")]
    assert run(tool("shellcheck"), *scripts) == (0, "")


def test_zizmor_finds_nothing_that_an_attacker_could_use():
    code, said = run(tool("zizmor"), "--offline", "--min-severity=medium", "--no-progress", ROOT / ".github")
    assert code == 0, said


def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it():
    lines = [line.strip() for file in FILES for line in file.read_text().splitlines() if "uses: " in line]
    others = [line for line in lines if "uses: ./" not in line]
    assert others
    assert [line for line in others if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []


def test_every_download_names_what_it_needs():
    """Without a name it takes all there is, and building the image leaves a record of its own there."""
    steps = [step for _, job in JOBS for step in job.get("steps", ())]
    uses = {
        kind: [s["with"].get("name") for s in steps if f"/{kind}-artifact@" in s.get("uses", "")]
        for kind in ("upload", "download")
    }
    assert set(uses["download"]) == set(uses["upload"]) == {"dist", "notes"}


def test_no_job_may_more_than_it_says():
    assert [flow["permissions"] for flow in WORKFLOWS.values()] == [{}] * len(FILES)
    assert [name for name, job in JOBS if "permissions" not in job] == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what names the version, released as 1.2.3."""
    for place in PLACES:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / PLACES[0]).write_text('"""Doc."""\n\n__version__ = "1.2.3"\n')
    (tmp_path / PLACES[1]).write_text('apiVersion: v2\nversion: 1.2.3\nappVersion: "1.2.3"\n')
    headings = "# Changelog\n\n## 1.2.3 (2026-12-01)\n\n- [FEATURE] New.\n\n## 1.2.2 (2026-11-01)\n\n- Old.\n"
    (tmp_path / PLACES[2]).write_text(headings)
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "release.py", tmp_path / ".ci")
    return tmp_path


def release(checkout: Path, tag: str) -> tuple[int, str]:
    return run(sys.executable, checkout / ".ci" / "release.py", tag)


def test_a_release_has_the_notes_of_its_version(checkout: Path):
    assert release(checkout, "v1.2.3") == (0, "- [FEATURE] New.\n")


@pytest.mark.parametrize(
    ("place", "old", "new", "said"),
    [
        ("exporter/__init__.py", "1.2.3", "1.2.4", "exporter/__init__.py has 1.2.4"),
        ("helm/mpu-exporter/Chart.yaml", "version: 1.2.3", "version: 1.2.4", "Chart.yaml has 1.2.4"),
        ("helm/mpu-exporter/Chart.yaml", '"1.2.3"', '"1.2.4"', "Chart.yaml has 1.2.4"),
        ("CHANGELOG.md", "2026-12-01", "unreleased", "no heading '## 1.2.3 (YYYY-MM-DD)'"),
    ],
)
def test_what_names_another_version_stops_a_release(
    checkout: Path, place: str, old: str, new: str, said: str
):
    file = checkout / place
    file.write_text(file.read_text().replace(old, new, 1))
    code, told = release(checkout, "v1.2.3")
    assert (code, told.count(";")) == (1, 0)
    assert told.startswith("v1.2.3 cannot be released: ")
    assert said in told


def test_every_place_of_a_version_is_really_read(checkout: Path):
    for place in PLACES:
        shutil.copy(ROOT / place, checkout / place)
    _, told = release(checkout, "v99.0.0")
    assert [told.count(f"{place} has ") for place in PLACES] == [1, 2, 1]

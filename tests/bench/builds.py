"""Builds of the exporter to compare: the one of this tree, and one of an older commit.

Each has an environment of its own, which holds nothing but a .pth file: it names the build's source and the
packages of the environment that runs the benchmarks. So all sides start in the same way, which is that of an
installation; an editable one puts its finder, 34 ms of CPU, into every start.
"""

import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TODAY = "b66d042"
"""The build with which the present one is compared where nothing else is said."""


@dataclass(frozen=True)
class Build:
    """One build: `python` imports its `exporter`."""

    python: Path

    def program(self, *arguments: str) -> list[str]:
        """Return the command line of `mpu-exporter`; -I: what is in PYTHONPATH does not count."""
        return [str(self.python), "-I", "-m", "exporter", *arguments]

    def script(self, name: str, *arguments: str) -> list[str]:
        """Return the command line of a script of this folder."""
        return [str(self.python), "-I", str(HERE / name), *arguments]


class Builds:
    """The builds of one run, made when first needed."""

    def __init__(self, folder: Path, against: str | None = None) -> None:
        """Make them in this folder; `against` is the older commit of all rows, None: what each row says."""
        self._folder = folder
        self._against = against
        self._older: dict[str, Build] = {}

    @cached_property
    def present(self) -> Build:
        """The build of this tree."""
        return _installed(ROOT, self._folder / "present")

    def older(self, commit: str) -> Build:
        """Return the build of the older commit. Raises RuntimeError where the history lacks it."""
        commit = self._against or commit
        if commit not in self._older:
            source = self._folder / commit / "source"
            _check_out(commit, source)
            self._older[commit] = _installed(source, self._folder / commit)
        return self._older[commit]


def _check_out(commit: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder.with_suffix(".tar")
    command = ["git", "archive", f"--output={archive}", commit, "exporter", "pyproject.toml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        hint = "fetch it (git fetch --unshallow), or name another one (--against)"
        raise RuntimeError(f"the history lacks commit {commit}: {hint}: {done.stderr.strip()}")
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)


def _installed(source: Path, folder: Path) -> Build:
    """Return the build of this source; its environment, and packages that only it needs, go to `folder`."""
    home = folder / "environment"
    venv.create(home, symlinks=True, with_pip=False)
    python = home / "bin" / "python"
    paths = [source, *_added(source, folder / "packages"), Path(sysconfig.get_path("purelib"))]
    places = sysconfig.get_path("purelib", vars={"base": str(home)})
    (Path(places) / "build.pth").write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    subprocess.run([str(python), "-m", "compileall", "-q", str(source / "exporter")], check=True)
    return Build(python)


def _added(source: Path, folder: Path) -> list[Path]:
    """Install what the source depends on and this environment lacks; return where, if there was any."""
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    missing = [each for each in project["dependencies"] if not _is_installed(each)]
    if not missing:
        return []
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", str(folder), *missing], check=True)
    return [folder]


def _is_installed(requirement: str) -> bool:
    name = re.match(r"[\w.-]+", requirement)
    assert name, requirement
    try:
        distribution(name[0])
    except PackageNotFoundError:
        return False
    return True

"""The package as it is published: built, installed from a file into an environment of its own, and run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from typing import TYPE_CHECKING

import pytest
import yaml
from docs.documents import ROOT
from servers import do_without, need_package
from servers.exporter import target
from servers.s3 import S3, Part, Upload
from servers.standin import StandIn

from exporter import __version__

if TYPE_CHECKING:
    from pathlib import Path

BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, "build_" + sys.argv[1])(sys.argv[2]))
"""
OLDEST_SETUPTOOLS = 77


def call(*command: str | Path, cwd: Path, succeeds: bool = True) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
    return done.stdout


def build(kind: str, source: Path, folder: Path) -> Path:
    """Build a `wheel` or an `sdist` of a source tree, as pip and build do, with the tools that are here."""
    folder.mkdir()
    return folder / call(sys.executable, "-c", BUILD, kind, folder, cwd=source).splitlines()[-1]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return a wheel made of the source tree, and one made of the sdist."""
    if int(need_package("setuptools").__version__.partition(".")[0]) < OLDEST_SETUPTOOLS:
        do_without(f"setuptools {OLDEST_SETUPTOOLS} (pip install -e '.[test]')")
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    shutil.copytree(ROOT / "exporter", source / "exporter", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    sdist = build("sdist", source, folder / "sdist")
    shutil.unpack_archive(sdist, folder / "unpacked")
    [unpacked] = (folder / "unpacked").iterdir()
    return [build("wheel", tree, tree / "dist") for tree in (source, unpacked)]


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_sdist_makes_the_same_wheel_as_the_source(wheels: list[Path]):
    first, second = map(contents, wheels)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


@pytest.fixture(scope="module")
def program(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the installed command; its environment has dependencies of this one, and none of the clone."""
    home = tmp_path_factory.mktemp("fresh")
    call(sys.executable, "-m", "venv", "--without-pip", home, cwd=home)
    python = home / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    call(*pip, "install", "--quiet", "--no-deps", "--no-index", wheels[1], cwd=home)
    ours = sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)})
    with open(f"{ours}/dependencies.pth", "w") as file:  # noqa: PTH123 - pytest's own folder
        file.write(sysconfig.get_path("purelib"))  # its .pth files, that of the clone, are not read from here
    found = call(python, "-c", "import exporter; print(exporter.__file__)", cwd=home)
    assert found.startswith(ours)
    return home / "bin" / "mpu-exporter"


def test_installed_from_a_file_it_tells_its_version_and_what_a_config_is(program: Path, tmp_path: Path):
    assert call(program, "--version", cwd=tmp_path) == f"mpu-exporter {__version__}\n"
    assert yaml.safe_load(call(program, "config", "example", cwd=tmp_path))["targets"]
    assert json.loads(call(program, "config", "schema", cwd=tmp_path))["title"] == "mpu-exporter config"


def test_and_it_scans(program: Path, tmp_path: Path):
    server = S3()
    server.buckets["media"] = [Upload("film", "1", parts=[Part(1, 100), Part(2, 11)])]
    with StandIn(server) as standin:
        config = {"targets": [target("ours", standin.url, "media")]}
        (tmp_path / "config.yaml").write_text(json.dumps(config))
        found = json.loads(call(program, "scan", "--format=json", cwd=tmp_path))
    [bucket] = found["buckets"]
    assert (bucket["success"], bucket["values"]["uploads"], bucket["values"]["bytes"]) == (True, 1, 111)

"""The templates of the pages: part of the package, and loaded with the first page."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_starting_the_exporter_loads_no_template_engine():
    code = "import sys, exporter.service; print([name for name in sys.modules if name.startswith('jinja2')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_wheel_holds_every_file_of_the_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    package = ROOT / "exporter"
    patterns = settings["tool"]["setuptools"]["package-data"]["exporter"]
    packed = {path for pattern in patterns for path in package.glob(pattern)}
    others = {path for path in package.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
    assert others == packed


def test_templates_print_nothing_unescaped_but_style_and_script():
    templates = (ROOT / "exporter/web/pages").glob("*.html")
    unescaped = [
        each for path in templates for each in re.findall(r"[^{]*\|\s*safe", path.read_text("utf-8"))
    ]
    assert sorted(unescaped) == [" script|safe", " style|safe"]

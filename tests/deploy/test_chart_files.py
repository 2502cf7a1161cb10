"""The chart as files: its versions, what its README shows, what its package holds."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import helm_python as helm
import pytest
import yaml
from charts import CHART

from exporter import __version__
from exporter.cli.flags import LOG_FORMATS, LOG_LEVELS

if TYPE_CHECKING:
    from pathlib import Path


class TestFiles:
    def test_log_values_are_those_of_the_flags(self):
        log = yaml.safe_load((CHART / "values.schema.json").read_text())["properties"]["log"]["properties"]
        assert log["level"]["enum"] == list(LOG_LEVELS)
        assert log["format"]["enum"] == list(LOG_FORMATS)

    def test_versions_agree(self):
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        assert (chart["version"], chart["appVersion"]) == (__version__, __version__)

    def test_what_catalogues_show_is_well_formed(self):
        """As https://artifacthub.io/docs/topics/annotations/helm/ has it."""
        notes = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
        links = yaml.safe_load(notes["artifacthub.io/links"])
        changes = yaml.safe_load(notes["artifacthub.io/changes"])
        assert {frozenset(link) for link in links} == {frozenset({"name", "url"})}
        assert {frozenset(change) for change in changes} == {frozenset({"kind", "description"})}
        assert {c["kind"] for c in changes} <= {
            "added",
            "changed",
            "deprecated",
            "removed",
            "fixed",
            "security",
        }
        assert notes["artifacthub.io/category"] == "monitoring-logging"

    @pytest.mark.parametrize("name", ["tls", "passwords"])
    def test_the_readme_shows_values_as_they_are_tested(self, name: str):
        shown = (CHART / f"ci/{name}-values.yaml").read_text().partition("\n")[2]
        assert f"```yaml\n{shown}```\n" in (CHART / "README.md").read_text()

    def test_packages_without_the_test_values(self, tmp_path: Path):
        archive = helm.package(str(CHART), destination=str(tmp_path))
        with tarfile.open(archive) as members:
            names = members.getnames()
        assert {"mpu-exporter/values.schema.json", "mpu-exporter/files/helm-test.py"} < set(names)
        assert not [name for name in names if "/ci/" in name]

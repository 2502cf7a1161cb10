"""The chart as tests read it: rendered by the real Helm engine, without a cluster."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

CHART = Path(__file__).parents[2] / "helm" / "mpu-exporter"
VALUE_SETS = sorted((CHART / "ci").glob("*-values.yaml"))
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C takes a tenth of the time
KUBERNETES = ["1.25", "1.28", "1.31", "1.34", kubernetes_validate.latest_version()]


def versions_of(values: Path) -> list[str]:
    """Return the versions of Kubernetes that have all that these values ask for."""
    oldest = re.search(r"Kubernetes 1\.(\d+)", values.read_text())
    return [v for v in KUBERNETES if int(v.split(".")[1]) >= (int(oldest[1]) if oldest else 0)]


every_value_set = pytest.mark.parametrize("values", VALUE_SETS, ids=lambda path: path.stem)


def render(values: str | Path = "", chart: Path = CHART, release: str = "demo") -> list[dict[str, Any]]:
    """Return every object of the chart for values given as YAML; the engine asks the schema first."""
    given = values.read_text() if isinstance(values, Path) else values
    render_texts = _render_once if chart == CHART else _render_texts
    texts = render_texts(given, chart, release)
    return [document for text in texts for document in yaml.load_all(text, LOADER) if document]


def _render_texts(values: str, chart: Path, release: str) -> list[str]:
    given = helm.values_from_yaml(values)
    with helm.Chart.load(chart) as loaded:
        files = loaded.render(given, name=release, namespace="mon")
    return [text for name, text in files.items() if name.endswith(".yaml")]


_render_once = cache(_render_texts)
"""Of the chart that does not change."""


def render_notes(values: str | Path = "") -> str:
    given = helm.values_from_yaml(values.read_text() if isinstance(values, Path) else values)
    with helm.Chart.load(CHART) as loaded:
        return loaded.render(given, name="demo", namespace="mon")["mpu-exporter/templates/NOTES.txt"]


def find(kind: str, documents: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = [document for document in documents if document["kind"] == kind]
    return found


def find_workload(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what runs the pods."""
    (found,) = [document for document in documents if document["kind"] in {"Deployment", "StatefulSet"}]
    return found


def find_service(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the Service that monitors find, rather than the one that gives pods their names."""
    (found,) = [
        d for d in documents if d["kind"] == "Service" and not d["metadata"]["name"].endswith("-pods")
    ]
    return found


def kinds(documents: list[dict[str, Any]]) -> set[str]:
    return {document["kind"] for document in documents}


def pod_of(values: str | Path = "") -> dict[str, Any]:
    template: dict[str, Any] = find_workload(render(values))["spec"]["template"]
    return template


def container_of(values: str | Path = "") -> dict[str, Any]:
    container: dict[str, Any] = pod_of(values)["spec"]["containers"][0]
    return container


def volume_of(values: str | Path, name: str) -> dict[str, Any]:
    (volume,) = [volume for volume in pod_of(values)["spec"]["volumes"] if volume["name"] == name]
    return volume


def find_config(documents: list[dict[str, Any]]) -> str:
    maps = [document.get("data") or document.get("stringData") or {} for document in documents]
    (text,) = [texts["config.yaml"] for texts in maps if "config.yaml" in texts]
    return str(text)


def file_names(config: object) -> Iterator[str]:
    """Yield the files that a config names."""
    if isinstance(config, list):
        for item in config:
            yield from file_names(item)
    elif isinstance(config, dict):
        for key, value in config.items():
            if key.endswith("_file"):
                yield value
            else:
                yield from file_names(value)

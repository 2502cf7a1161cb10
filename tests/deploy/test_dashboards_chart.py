"""The dashboards as the chart hands them to Grafana's sidecar."""

from __future__ import annotations

import json
from typing import Any

import helm_python as helm
import pytest
from charts import CHART, render
from dashboards import BOARDS, FILES

VALUES = CHART / "ci" / "dashboards-values.yaml"
MOST_BYTES = 1024 * 1024
"""Of a ConfigMap, with its names."""


def config_maps(values: Any = VALUES) -> dict[str, dict[str, Any]]:
    """Return the dashboards' ConfigMaps by the file that they hold."""
    return {
        file: document
        for document in render(values)
        if document["kind"] == "ConfigMap"
        for file in document["data"]
        if file.endswith(".json")
    }


def test_none_is_there_unless_asked_for():
    assert config_maps("") == {}


def test_each_is_the_file_byte_for_byte_in_a_config_map_of_its_own():
    assert {file.name: {file.name: file.read_text()} for file in FILES} == {
        name: document["data"] for name, document in config_maps().items()
    }


def test_each_fits_in_a_config_map_with_room_to_grow():
    for document in config_maps().values():
        assert len(json.dumps(document).encode()) < MOST_BYTES / 4


@pytest.mark.parametrize("uid", BOARDS)
def test_the_sidecar_finds_it(uid: str):
    metadata = config_maps()[f"{uid}.json"]["metadata"]
    assert metadata["name"] == f"demo-mpu-exporter-{uid}"
    assert metadata["namespace"] == "monitoring"
    assert metadata["labels"]["grafana_dashboard"] == "1"
    assert metadata["annotations"] == {"grafana_folder": "Storage"}


def test_the_exporter_s_address_can_be_another():
    values = "dashboards: {enabled: true, exporterUrl: https://mpu.example.com/exporter}"
    boards = {name: json.loads(document["data"][name]) for name, document in config_maps(values).items()}
    *_, pages = boards["mpu-overview.json"]["templating"]["list"]
    assert {pages["query"], pages["current"]["value"], pages["options"][0]["value"]} == {
        "https://mpu.example.com/exporter"
    }
    assert boards["mpu-health.json"] == BOARDS["mpu-health"]


@pytest.mark.parametrize("url", ["mpu.example.com", "https://mpu.example.com/", 'https://x"', "javascript:x"])
def test_what_is_no_address_of_pages_is_refused(url: str):
    with pytest.raises(helm.HelmValuesError, match="exporterUrl"):
        render(json.dumps({"dashboards": {"enabled": True, "exporterUrl": url}}))


def test_the_label_can_be_another():
    labels = config_maps("dashboards: {enabled: true, labels: {grafana_dashboard: null, board: mine}}")[
        "mpu-health.json"
    ]["metadata"]["labels"]
    assert labels["board"] == "mine"
    assert "grafana_dashboard" not in labels

"""What `helm install` says: what to do next, in every shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from charts import CHART, every_value_set, render_notes

if TYPE_CHECKING:
    from pathlib import Path

MONITORED = "serviceMonitor: {enabled: true}"
MANAGED = "podMonitoring: {enabled: true}"


@every_value_set
def test_has_one_step_after_the_other(values: Path):
    steps = [line[0] for line in render_notes(values).splitlines() if line[:1].isdigit()]
    assert steps in ([], ["1", "2", "3", "4"], ["1", "2", "3", "4", "5"])


@every_value_set
def test_has_no_hole(values: Path):
    notes = render_notes(values)
    assert [word for word in ("<nil>", "<no value>", "map[", "%!") if word in notes] == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("", "port-forward deployment/demo-mpu-exporter 19340:19340"),
        ("containerPort: 9400", "port-forward deployment/demo-mpu-exporter 19340:9400"),
        ("shards: 2", "port-forward pod/demo-mpu-exporter-0 19340:19340"),
        ("state: {persistence: {enabled: true}}", "port-forward statefulset/demo-mpu-exporter 19340"),
        ("namespaceOverride: other", "kubectl --namespace other logs"),
        ("namespaceOverride: other", "helm --namespace mon test demo"),
        ("", "Let Prometheus scrape http://demo-mpu-exporter.mon.svc:19340/metrics"),
        ("service: {port: 80}", "Let Prometheus scrape http://demo-mpu-exporter.mon.svc:80/metrics"),
        (MONITORED, "selects monitors by their labels"),
        (MANAGED, "kubectl --namespace mon describe podmonitoring demo-mpu-exporter"),
        ("", "alerts (prometheusRule.enabled=true"),
        ("", "image.registry is empty: nodes look for mpu-exporter:0.1.0"),
        ("", "config.targets is still the example"),
        ("replicas: 0", "is paused"),
        ("shards: 2", "kubectl --namespace mon delete statefulset demo-mpu-exporter\n"),
        ("service: {clusterIP: None}", "kubectl --namespace mon delete service demo-mpu-exporter\n"),
    ],
)
def test_says(values: str, said: str):
    assert said in render_notes(values)


@pytest.mark.parametrize(
    ("values", "unsaid"),
    [
        (MONITORED, "Let Prometheus scrape"),
        (MANAGED, "Let Prometheus scrape"),
        ("prometheusRule: {enabled: true}", "alerts ("),
        ("grafanaAlerts: {enabled: true}", "alerts ("),
        ("image: {registry: r.example.com}", "image.registry is empty"),
        ("existingConfigMap: a", "still the example"),
        ("replicas: 0", "port-forward"),
        ("", "never"),
    ],
)
def test_does_not_say(values: str, unsaid: str):
    assert unsaid not in render_notes(values)


def test_the_typical_values_leave_nothing_to_be_said_of_the_config():
    assert "NOTE" not in render_notes(CHART / "ci" / "typical-values.yaml")

"""Objects for the Prometheus operator have only fields that it knows, with values that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from charts import CHART, every_value_set, find, render
from operator_kinds import SPECS, find_faults, is_operators

if TYPE_CHECKING:
    from pathlib import Path


@every_value_set
def test_the_chart_writes_no_other(values: Path):
    documents = [document for document in render(values) if is_operators(document)]
    assert [fault for document in documents for fault in find_faults(document)] == []


@pytest.mark.parametrize("kind", SPECS)
def test_every_kind_is_written_by_some_values(kind: str):
    sets = {"ServiceMonitor": "everything", "PodMonitor": "podmonitor", "PrometheusRule": "alerts"}
    assert find_faults(find(kind, render(CHART / f"ci/{sets[kind]}-values.yaml"))) == []


def endpoint(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec.get("endpoints", spec.get("podMetricsEndpoints"))[0]
    return found


MONITOR_FAULTS = {
    "interval: '' should be non-empty": lambda s: endpoint(s).update(interval=""),
    "interval: '5 minutes' does not match": lambda s: endpoint(s).update(interval="5 minutes"),
    "'intervall' was unexpected": lambda s: endpoint(s).update(intervall="1m"),
    "'port' is a required property": lambda s: endpoint(s).pop("port"),
    "'HTTPS' is not one of": lambda s: endpoint(s).update(scheme="HTTPS"),
    "'key' is a required property": lambda s: endpoint(s).update(tlsConfig={"keySecret": {"name": "a"}}),
    "'caFiles' was unexpected": lambda s: endpoint(s).update(tlsConfig={"caFiles": "a"}),
    "'relable' is not one of": lambda s: endpoint(s).update(relabelings=[{"action": "relable"}]),
    "'selector' is a required property": lambda s: s.pop("selector"),
    "'podTargetLabel' was unexpected": lambda s: s.update(podTargetLabel=["a"]),
    "'50' is not of type 'integer'": lambda s: s.update(sampleLimit="50"),
}
RULE_FAULTS = {
    "'expr' is a required property": lambda r: r.pop("expr"),
    "for: '5 minutes' does not match": lambda r: r.update({"for": "5 minutes"}),
    "keep_firing_for: '' should be non-empty": lambda r: r.update(keep_firing_for=""),
    "'keepFiringFor' was unexpected": lambda r: r.update(keepFiringFor="1m"),
    "is not valid under any of the given schemas": lambda r: r.pop("alert"),
    "1 is not of type 'string'": lambda r: r["labels"].update(severity=1),
    "'a-b' does not match": lambda r: r["labels"].update({"a-b": "c"}),
}


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
@pytest.mark.parametrize("fault", MONITOR_FAULTS)
def test_a_faulty_monitor_is_found(kind: str, fault: str):
    key = kind[0].lower() + kind[1:]
    monitor = find(kind, render(f"{key}: {{enabled: true}}"))
    assert find_faults(monitor) == []
    MONITOR_FAULTS[fault](monitor["spec"])
    assert any(fault in found for found in find_faults(monitor))


@pytest.mark.parametrize("fault", RULE_FAULTS)
def test_a_faulty_rule_is_found(fault: str):
    rules = find("PrometheusRule", render("prometheusRule: {enabled: true}"))
    assert find_faults(rules) == []
    RULE_FAULTS[fault](rules["spec"]["groups"][0]["rules"][0])
    assert any(fault in found for found in find_faults(rules))


def test_a_pod_monitor_takes_no_files_of_prometheus():
    values = "podMonitor: {enabled: true, tlsConfig: {caFile: /etc/ca.pem}}"
    (fault,) = find_faults(find("PodMonitor", render(values)))
    assert "'caFile' was unexpected" in fault

"""Objects for the Gateway API and others have only fields that these know, with values that they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from charts import VALUE_SETS, every_value_set, render
from custom_kinds import KINDS, find_faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAULTS: dict[str, dict[str, Callable[[dict[str, Any]], object]]] = {
    "HTTPRoute": {
        "'hostname' was unexpected": lambda s: s.update(hostname="a"),
        "'backendRefs' is a required property": lambda s: s["rules"][0].pop("backendRefs"),
        "False schema does not allow": lambda s: s["rules"][1].update(
            backendRefs=[{"name": "a", "port": 80}]
        ),
        "'Prefix' is not one of": lambda s: s["rules"][0]["matches"][0]["path"].update(type="Prefix"),
        "'80' is not of type 'integer'": lambda s: s["rules"][0]["backendRefs"][0].update(port="80"),
        "parentRefs: [] should be non-empty": lambda s: s.update(parentRefs=[]),
    },
    "PodMonitoring": {
        "'scrapeTimeout' was unexpected": lambda s: s["endpoints"][0].update(scrapeTimeout="10s"),
        "'1 minute' does not match": lambda s: s["endpoints"][0].update(interval="1 minute"),
        "'namespace' is not one of": lambda s: s["targetLabels"].update(metadata=["namespace"]),
        "'a/b' does not match": lambda s: s["targetLabels"].update(fromPod=[{"from": "a", "to": "a/b"}]),
        "'secret' is a required property": lambda s: s["endpoints"][0]["tls"].update(ca={"name": "a"}),
    },
    "VerticalPodAutoscaler": {
        "False is not one of": lambda s: s["updatePolicy"].update(updateMode=False),
        "'targetRef' is a required property": lambda s: s.pop("targetRef"),
        "'mode' was unexpected": lambda s: s["resourcePolicy"]["containerPolicies"][0].update(mode="On"),
    },
}


def written(kind: str) -> dict[str, Any]:
    """Return the object of a kind that has the most fields in any set of values."""
    found = [d for values in VALUE_SETS for d in render(values) if d["kind"] == kind]
    return max(found, key=lambda document: len(str(document)))


@every_value_set
def test_the_chart_writes_no_other(values: Path):
    documents = [document for document in render(values) if document["kind"] in KINDS]
    assert [fault for document in documents for fault in find_faults(document)] == []


@pytest.mark.parametrize(("kind", "fault"), [(kind, fault) for kind in KINDS for fault in FAULTS[kind]])
def test_a_fault_is_found(kind: str, fault: str):
    document = written(kind)
    assert find_faults(document) == []
    FAULTS[kind][fault](document["spec"])
    assert any(fault in found for found in find_faults(document))

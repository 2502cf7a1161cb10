"""ServiceMonitor and PodMonitor: every pod is scraped, once."""

from __future__ import annotations

import pytest
from charts import VALUE_SETS, find, find_service, kinds, render
from operator_kinds import SPECS

SHAPES = ["", "shards: 3, ", "state: {persistence: {enabled: true}}, ", "service: {clusterIP: None}, "]
every_shape = pytest.mark.parametrize("shape", SHAPES)


def given_somewhere(kind: str) -> dict[str, set[str]]:
    """Return the fields that some set of values gives to a monitor, and to its endpoint."""
    found: dict[str, set[str]] = {"spec": set(), "endpoint": set()}
    for document in (d for values in VALUE_SETS for d in render(values) if d["kind"] == kind):
        (endpoint,) = document["spec"].get("endpoints") or document["spec"]["podMetricsEndpoints"]
        found["spec"] |= set(document["spec"])
        found["endpoint"] |= set(endpoint)
    return found


@pytest.mark.parametrize(
    ("kind", "endpoints"), [("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")]
)
def test_every_field_that_is_checked_can_be_given(kind: str, endpoints: str):
    known = SPECS[kind]["properties"]
    assert given_somewhere(kind) == {
        "spec": set(known),
        "endpoint": set(known[endpoints]["items"]["properties"]),
    }


def test_both_are_off_by_default():
    assert {"ServiceMonitor", "PodMonitor"} & kinds(render()) == set()


class TestServiceMonitor:
    @every_shape
    def test_selects_one_service_and_so_each_pod_once(self, shape: str):
        """Prometheus scrapes each pod behind each Service that is selected."""
        documents = render(f"{{{shape}serviceMonitor: {{enabled: true}}}}")
        spec = find("ServiceMonitor", documents)["spec"]
        wanted = spec["selector"]["matchLabels"].items()
        services = [d for d in documents if d["kind"] == "Service"]
        selected = [s for s in services if wanted <= s["metadata"]["labels"].items()]
        assert selected == [find_service(documents)]
        assert spec["namespaceSelector"] == {"matchNames": [selected[0]["metadata"]["namespace"]]}
        assert spec["endpoints"][0]["port"] == selected[0]["spec"]["ports"][0]["name"]
        assert spec["jobLabel"] in selected[0]["metadata"]["labels"]

    def test_goes_where_prometheus_looks(self):
        values = "serviceMonitor: {enabled: true, labels: {release: prom}, namespace: other}"
        metadata = find("ServiceMonitor", render(values))["metadata"]
        assert metadata["namespace"] == "other"
        assert metadata["labels"]["release"] == "prom"

    def test_another_release_beside_it_is_left_alone(self):
        spec = find("ServiceMonitor", render("serviceMonitor: {enabled: true}"))["spec"]
        assert spec["selector"]["matchLabels"]["app.kubernetes.io/instance"] == "demo"


class TestPodMonitor:
    @every_shape
    def test_selects_the_pods_and_their_port(self, shape: str):
        documents = render(f"{{{shape}podMonitor: {{enabled: true}}}}")
        spec = find("PodMonitor", documents)["spec"]
        (workload,) = [d["spec"] for d in documents if d["kind"] in {"Deployment", "StatefulSet"}]
        assert spec["selector"] == workload["selector"]
        labels = workload["template"]["metadata"]["labels"]
        assert spec["jobLabel"] in labels
        assert set(spec["podTargetLabels"]) <= set(labels)
        (endpoint,) = spec["podMetricsEndpoints"]
        ports = workload["template"]["spec"]["containers"][0]["ports"]
        assert endpoint["port"] in [port["name"] for port in ports]

    def test_keeps_two_releases_apart(self):
        spec = find("PodMonitor", render("podMonitor: {enabled: true}"))["spec"]
        assert spec["podTargetLabels"] == ["app.kubernetes.io/instance"]

    def test_does_not_select_helm_test(self):
        documents = render("podMonitor: {enabled: true}")
        wanted = find("PodMonitor", documents)["spec"]["selector"]["matchLabels"].items()
        assert not wanted <= find("Pod", documents)["metadata"]["labels"].items()

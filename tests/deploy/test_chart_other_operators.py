"""PodMonitoring of Google's managed Prometheus, and the autoscaler of requests: about all pods."""

from __future__ import annotations

import helm_python as helm
import pytest
from charts import find, find_workload, kinds, render

TLS = "web: {tls: {enabled: true, secret: mpu-tls}}"


def test_both_are_off_by_default():
    assert {"PodMonitoring", "VerticalPodAutoscaler"} & kinds(render()) == set()


@pytest.mark.parametrize("shards", [1, 3])
def test_a_pod_monitoring_selects_the_pods_and_their_port(shards: int):
    documents = render(f"{{shards: {shards}, podMonitoring: {{enabled: true}}}}")
    monitoring, workload = find("PodMonitoring", documents), find_workload(documents)
    assert monitoring["spec"]["selector"] == workload["spec"]["selector"]
    assert monitoring["metadata"]["namespace"] == workload["metadata"]["namespace"]
    (port,) = workload["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert monitoring["spec"]["endpoints"] == [
        {"port": port["name"], "path": "/metrics", "scheme": "http", "interval": "1m"}
    ]


def test_a_pod_monitoring_follows_the_exporters_tls():
    (endpoint,) = find("PodMonitoring", render(f"{{{TLS}, podMonitoring: {{enabled: true}}}}"))["spec"][
        "endpoints"
    ]
    assert endpoint["scheme"] == "https"
    assert endpoint["tls"] == {
        "ca": {"secret": {"name": "mpu-tls", "key": "ca.crt"}},
        "serverName": "demo-mpu-exporter.mon.svc",
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            "{web: {tls: {enabled: true, secret: a, clientAuth: true}}, podMonitoring: {enabled: true}}",
            "podMonitoring.tls has to name a certificate",
        ),
        (
            "podMonitoring: {enabled: true, basicAuth: {username: a}, authorization: {type: b}}",
            "podMonitoring has basicAuth and authorization",
        ),
    ],
)
def test_a_pod_monitoring_that_could_not_scrape_is_refused(values: str, message: str):
    with pytest.raises(helm.HelmRenderError, match=message):
        render(values)


@pytest.mark.parametrize("shards", [1, 3])
def test_the_autoscaler_is_about_the_exporters_container(shards: int):
    documents = render(f"{{shards: {shards}, verticalPodAutoscaler: {{enabled: true}}}}")
    spec, workload = find("VerticalPodAutoscaler", documents)["spec"], find_workload(documents)
    assert spec["targetRef"] == {
        "apiVersion": workload["apiVersion"],
        "kind": workload["kind"],
        "name": workload["metadata"]["name"],
    }
    (policy,) = spec["resourcePolicy"]["containerPolicies"]
    assert policy["containerName"] == workload["spec"]["template"]["spec"]["containers"][0]["name"]


def test_the_autoscaler_replaces_no_pod_unless_told_to():
    """A pod that is replaced scans again, and pays again."""
    policy = find("VerticalPodAutoscaler", render("verticalPodAutoscaler: {enabled: true}"))["spec"][
        "updatePolicy"
    ]
    assert policy == {"updateMode": "Off"}

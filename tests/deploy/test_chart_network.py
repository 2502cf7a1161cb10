"""Who reaches the pods, and how many may be away."""

from __future__ import annotations

import pytest
from charts import find, find_service, find_workload, kinds, pod_of, render

FROM = "networkPolicy: {enabled: true, from: [{namespaceSelector: {}}]}"


def policy(values: str) -> dict:
    found: dict = find("NetworkPolicy", render(values))["spec"]
    return found


class TestService:
    def test_sends_where_the_exporter_listens(self):
        documents = render("{containerPort: 9400, service: {port: 80}}")
        (container,) = find("Deployment", documents)["spec"]["template"]["spec"]["containers"]
        assert "--web.listen-address=:9400" in container["args"]
        assert container["ports"] == [{"name": "http", "containerPort": 9400, "protocol": "TCP"}]
        assert find_service(documents)["spec"]["ports"] == [
            {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
        ]

    @pytest.mark.parametrize(("kind", "port"), [("NodePort", 31340), ("ClusterIP", None)])
    def test_has_a_port_of_the_nodes_only_where_it_can(self, kind: str, port: int | None):
        service = find_service(render(f"service: {{type: {kind}, nodePort: 31340}}"))
        assert service["spec"]["ports"][0].get("nodePort") == port


class TestNetworkPolicy:
    def test_is_off_by_default(self):
        assert "NetworkPolicy" not in kinds(render())

    @pytest.mark.parametrize("values", ["", "shards: 2, "])
    def test_is_about_the_exporters_pods_and_its_port(self, values: str):
        documents = render(f"{{{values}service: {{port: 80}}, {FROM}}}")
        found = find("NetworkPolicy", documents)["spec"]
        assert found["podSelector"] == find_workload(documents)["spec"]["selector"]
        assert found["policyTypes"] == ["Ingress"]
        assert found["ingress"][0]["ports"] == [{"port": "http", "protocol": "TCP"}]
        assert "egress" not in found

    def test_lets_those_in_and_helm_test(self):
        documents = render(FROM)
        (rule,) = find("NetworkPolicy", documents)["spec"]["ingress"]
        others, test = rule["from"]
        assert others == {"namespaceSelector": {}}
        labels = find("Pod", documents)["metadata"]["labels"]
        assert test["podSelector"]["matchLabels"].items() <= labels.items()
        assert not test["podSelector"]["matchLabels"].items() <= pod_of()["metadata"]["labels"].items()

    def test_lets_everyone_in_where_nobody_is_named(self):
        (rule,) = policy("networkPolicy: {enabled: true}")["ingress"]
        assert rule == {"ports": [{"port": "http", "protocol": "TCP"}]}

    def test_may_bound_what_is_asked(self):
        found = policy(
            "networkPolicy: {enabled: true, egress: {enabled: true, extra: [{ports: [{port: 80}]}]}}"
        )
        assert found["policyTypes"] == ["Ingress", "Egress"]
        assert found["egress"] == [
            {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
            {"ports": [{"port": 443, "protocol": "TCP"}]},
            {"ports": [{"port": 80}]},
        ]


class TestPodDisruptionBudget:
    def test_is_off_by_default(self):
        assert "PodDisruptionBudget" not in kinds(render())

    @pytest.mark.parametrize("values", ["", "shards: 2, "])
    def test_never_blocks_a_drain(self, values: str):
        documents = render(f"{{{values}podDisruptionBudget: {{enabled: true}}}}")
        budget = find("PodDisruptionBudget", documents)["spec"]
        assert budget == {"maxUnavailable": 1, "selector": find_workload(documents)["spec"]["selector"]}

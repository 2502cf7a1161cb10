"""Who reaches the pods, and how many may be away."""

from __future__ import annotations

import json

import helm_python as helm
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

    @pytest.mark.parametrize("shards", [1, 2])
    def test_has_the_families_that_are_asked_for(self, shards: int):
        given = "service: {ipFamilyPolicy: PreferDualStack, ipFamilies: [IPv6, IPv4]}"
        services = [d for d in render(f"{{shards: {shards}, {given}}}") if d["kind"] == "Service"]
        assert len(services) == shards
        for service in services:
            assert service["spec"]["ipFamilyPolicy"] == "PreferDualStack"
            assert service["spec"]["ipFamilies"] == ["IPv6", "IPv4"]

    @pytest.mark.parametrize(
        ("field", "value", "kind"),
        [
            ("loadBalancerClass", "a.example.com/b", "LoadBalancer"),
            ("loadBalancerSourceRanges", ["10.0.0.0/8"], "LoadBalancer"),
            ("externalTrafficPolicy", "Local", "NodePort"),
        ],
    )
    def test_has_what_goes_with_its_type_and_nothing_else(self, field: str, value: object, kind: str):
        given = {"service": {"type": kind, field: value}}
        assert find_service(render(json.dumps(given)))["spec"][field] == value
        given["service"]["type"] = "ClusterIP"
        with pytest.raises(helm.HelmRenderError, match=f"service.{field} is set, which Kubernetes refuses"):
            render(json.dumps(given))

    def test_two_families_need_a_policy(self):
        with pytest.raises(helm.HelmRenderError, match=r"set service\.ipFamilyPolicy to Pref"):
            render("service: {ipFamilies: [IPv4, IPv6]}")


class TestWaysIn:
    """Ingress and HTTPRoute lead to the Service."""

    def test_are_off_by_default(self):
        assert {"Ingress", "HTTPRoute"} & kinds(render()) == set()

    def test_an_ingress_leads_to_the_service(self):
        documents = render("{service: {port: 80}, ingress: {enabled: true, hosts: [{host: a.example.com}]}}")
        service = find_service(documents)
        (rule,) = find("Ingress", documents)["spec"]["rules"]
        assert rule["host"] == "a.example.com"
        (path,) = rule["http"]["paths"]
        assert (path["path"], path["pathType"]) == ("/", "Prefix")
        assert path["backend"]["service"]["name"] == service["metadata"]["name"]
        assert path["backend"]["service"]["port"] == {"name": service["spec"]["ports"][0]["name"]}

    def test_a_host_may_be_left_out(self):
        (rule,) = find("Ingress", render("ingress: {enabled: true, hosts: [{}]}"))["spec"]["rules"]
        assert list(rule) == ["http"]

    def test_a_route_leads_to_the_service(self):
        documents = render("{service: {port: 80}, httpRoute: {enabled: true, parentRefs: [{name: g}]}}")
        service = find_service(documents)
        route = find("HTTPRoute", documents)["spec"]
        assert route["parentRefs"] == [{"name": "g"}]
        assert route["rules"] == [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [
                    {"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}
                ],
            }
        ]

    def test_a_rule_that_redirects_has_no_service_beside_it(self):
        """The Gateway API: "RequestRedirect filter must not be used together with backendRefs"."""
        redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
        header = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["Cookie"]}}
        rules = [{"filters": [header, redirect]}, {"filters": [header]}]
        given = {"httpRoute": {"enabled": True, "parentRefs": [{"name": "g"}], "rules": rules}}
        redirecting, leading = find("HTTPRoute", render(json.dumps(given)))["spec"]["rules"]
        assert redirecting == {"filters": [header, redirect]}
        assert sorted(leading) == ["backendRefs", "filters"]

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ("ingress: {enabled: true}", "ingress.hosts is empty: name a host"),
            ("httpRoute: {enabled: true}", "httpRoute.parentRefs is empty: name a Gateway"),
            (
                "{shards: 2, ingress: {enabled: true, hosts: [{}]}}",
                "ingress.enabled is set and shards is 2: each request would reach another shard",
            ),
            (
                "{shards: 2, httpRoute: {enabled: true, parentRefs: [{name: g}]}}",
                "httpRoute.enabled is set and shards is 2: each request would reach another shard",
            ),
        ],
    )
    def test_that_lead_nowhere_are_refused(self, values: str, message: str):
        with pytest.raises(helm.HelmRenderError, match=message):
            render(values)


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

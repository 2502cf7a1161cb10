"""The pods: their image, rights, probes and account."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import helm_python as helm
import pytest
import yaml
from charts import (
    CHART,
    container_of,
    every_value_set,
    find,
    find_service,
    find_workload,
    kinds,
    pod_of,
    render,
)

from exporter import __version__

if TYPE_CHECKING:
    from pathlib import Path


class TestSecurity:
    @pytest.mark.parametrize("kind", ["Deployment", "Pod"])
    def test_defaults_pass_the_restricted_pod_standard(self, kind: str):
        found = find(kind, render())["spec"]
        spec = found["template"]["spec"] if kind == "Deployment" else found
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert spec["containers"][0]["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert spec["automountServiceAccountToken"] is False

    def test_ids_can_be_left_to_the_platform(self):
        context = pod_of(CHART / "ci" / "openshift-values.yaml")["spec"]["securityContext"]
        assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


class TestServiceAccount:
    def test_is_made_without_a_token(self):
        documents = render("serviceAccount: {annotations: {eks.amazonaws.com/role-arn: arn}}")
        account = find("ServiceAccount", documents)
        assert account["automountServiceAccountToken"] is False
        assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn"}
        pod = find("Deployment", documents)["spec"]["template"]["spec"]
        assert pod["serviceAccountName"] == account["metadata"]["name"]

    def test_an_identity_of_aks_annotates_it_and_labels_the_pods(self):
        identity, tenant = f"{1:08}-0000-4000-8000-{1:012}", f"{2:08}-0000-4000-8000-{2:012}"
        values = f"{{azureClientId: {identity!r}, azureTenantId: {tenant!r}, annotations: {{a: b}}}}"
        documents = render(f"{{serviceAccount: {values}, podLabels: {{c: d}}}}")
        assert find("ServiceAccount", documents)["metadata"]["annotations"] == {
            "a": "b",
            "azure.workload.identity/client-id": identity,
            "azure.workload.identity/tenant-id": tenant,
        }
        spec = find("Deployment", documents)["spec"]
        labels = spec["template"]["metadata"]["labels"]
        assert (labels["azure.workload.identity/use"], labels["c"]) == ("true", "d")
        assert "azure.workload.identity/use" not in spec["selector"]["matchLabels"]

    def test_an_identity_of_gke_annotates_it_alone(self):
        name = "mpu@example.iam.gserviceaccount.com"
        documents = render(f"serviceAccount: {{googleServiceAccount: {name}}}")
        found = find("ServiceAccount", documents)["metadata"]["annotations"]
        assert found == {"iam.gke.io/gcp-service-account": name}
        labels = find("Deployment", documents)["spec"]["template"]["metadata"]["labels"]
        assert [label for label in labels if "identity" in label] == []

    @pytest.mark.parametrize(
        ("values", "why"),
        [
            ("create: false, googleServiceAccount: a@b.iam.gserviceaccount.com", "annotate yours instead"),
            ("azureTenantId: 00000001-0000-4000-8000-000000000001", "does not say which"),
            ("azureClientId: mpu-exporter", "azureClientId"),
            ("googleServiceAccount: mpu-exporter", "googleServiceAccount"),
        ],
    )
    def test_an_identity_that_could_not_work_is_refused(self, values: str, why: str):
        with pytest.raises((helm.HelmValuesError, helm.HelmError)) as refused:
            render(f"serviceAccount: {{{values}}}")
        assert why in str(refused.value)

    def test_can_be_someone_elses(self):
        documents = render("serviceAccount: {create: false, name: theirs}")
        assert "ServiceAccount" not in kinds(documents)
        assert find("Deployment", documents)["spec"]["template"]["spec"]["serviceAccountName"] == "theirs"


class TestPod:
    @pytest.mark.parametrize(
        ("values", "image"),
        [
            ("", f"mpu-exporter:{__version__}"),
            ("image: {registry: r.example.com, tag: '2'}", "r.example.com/mpu-exporter:2"),
            ("{image: {registry: r}, global: {imageRegistry: g}}", f"g/mpu-exporter:{__version__}"),
            ("image: {tag: '2', digest: 'sha256:%s'}" % ("a" * 64), f"mpu-exporter@sha256:{'a' * 64}"),
        ],
    )
    def test_image(self, values: str, image: str):
        assert container_of(values)["image"] == image
        assert find("Pod", render(values))["spec"]["containers"][0]["image"] == image

    def test_pull_secrets_are_names_or_maps(self):
        values = "{image: {pullSecrets: [a, {name: b}]}, global: {imagePullSecrets: [{name: c}, a]}}"
        assert pod_of(values)["spec"]["imagePullSecrets"] == [{"name": "c"}, {"name": "a"}, {"name": "b"}]

    def test_probes_are_light_and_apart(self):
        container = container_of()
        assert container["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": "http"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/-/ready", "port": "http"}
        assert "startupProbe" not in container

    def test_probes_can_be_replaced_and_turned_off(self):
        container = container_of(CHART / "ci" / "openshift-values.yaml")
        assert container["livenessProbe"]["tcpSocket"] == {"port": "http"}
        assert "httpGet" not in container["livenessProbe"]
        assert "readinessProbe" not in container

    def test_listens_where_the_service_sends(self):
        documents = render("{containerPort: 9400, service: {port: 80}}")
        (container,) = find("Deployment", documents)["spec"]["template"]["spec"]["containers"]
        assert "--web.listen-address=:9400" in container["args"]
        assert container["ports"] == [{"name": "http", "containerPort": 9400, "protocol": "TCP"}]
        assert find_service(documents)["spec"]["ports"] == [
            {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
        ]

    def test_the_old_pod_ends_before_the_new_one_starts(self):
        spec = find("Deployment", render())["spec"]
        assert spec["strategy"] == {"type": "Recreate"}
        assert spec["replicas"] == 1
        assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 30

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("hostAliases", [{"ip": "10.1.2.3", "hostnames": ["store.example.com"]}]),
            ("dnsPolicy", "Default"),
            ("dnsConfig", {"options": [{"name": "ndots", "value": "1"}]}),
            ("priorityClassName", "high"),
            ("runtimeClassName", "gvisor"),
            ("schedulerName", "stork"),
            ("hostNetwork", True),
            ("hostUsers", False),
            ("nodeSelector", {"a": "b"}),
            ("tolerations", [{"operator": "Exists"}]),
        ],
    )
    def test_fields_of_the_pod_are_passed_on(self, field: str, value: object):
        assert pod_of(json.dumps({field: value}))["spec"][field] == value
        assert field not in pod_of()["spec"]

    @pytest.mark.parametrize(
        ("values", "policy"),
        [
            ("hostNetwork: true", "ClusterFirstWithHostNet"),
            ("{hostNetwork: true, dnsPolicy: Default}", "Default"),
            ("hostNetwork: false", None),
        ],
    )
    def test_on_the_nodes_network_the_clusters_names_are_found(self, values: str, policy: str | None):
        assert pod_of(values)["spec"].get("dnsPolicy") == policy

    def test_groups_of_the_image_can_be_ruled_out(self):
        documents = render("podSecurityContext: {supplementalGroupsPolicy: Strict}")
        for pod in (find_workload(documents)["spec"]["template"], find("Pod", documents)):
            assert pod["spec"]["securityContext"]["supplementalGroupsPolicy"] == "Strict"

    def test_hooks_belong_to_the_exporters_container(self):
        assert container_of("lifecycle: {preStop: {sleep: {seconds: 5}}}")["lifecycle"] == {
            "preStop": {"sleep": {"seconds": 5}}
        }
        assert "lifecycle" not in container_of()

    def test_hooks_that_the_readme_shows_run_what_is_in_the_image(self):
        """Its health check runs bash, too."""
        (row,) = re.findall(r"\| `lifecycle` \|.*", (CHART / "README.md").read_text())
        shown = [yaml.safe_load(text) for text in re.findall(r"`(\{preStop.*?)`", row)]
        assert [container_of(json.dumps({"lifecycle": hook}))["lifecycle"] for hook in shown] == shown
        programs = [hook["preStop"]["exec"]["command"][0] for hook in shown if "exec" in hook["preStop"]]
        assert programs == ["bash"]
        assert 'CMD ["bash", "-c", ' in (CHART.parents[1] / "Dockerfile").read_text()

    def test_asks_for_what_it_needs_at_least(self):
        assert container_of()["resources"] == {"requests": {"cpu": "50m", "memory": "128Mi"}}
        assert "resources" not in container_of("resources: null")

    @pytest.mark.parametrize("shards", [1, 2])
    def test_the_workload_alone_can_be_labelled_and_annotated(self, shards: int):
        values = "minReadySeconds: 9, workloadLabels: {a: b}, workloadAnnotations: {c: d}"
        workload = find_workload(render(f"{{shards: {shards}, {values}}}"))
        assert workload["spec"]["minReadySeconds"] == 9
        assert workload["metadata"]["labels"]["a"] == "b"
        assert workload["metadata"]["annotations"] == {"c": "d"}
        assert "a" not in workload["spec"]["template"]["metadata"]["labels"]
        assert "annotations" not in workload["spec"]["template"]["metadata"]
        assert "a" not in workload["spec"]["selector"]["matchLabels"]

    def test_containers_run_beside_the_exporter(self):
        names = [c["name"] for c in pod_of("extraContainers: [{name: a, image: i}]")["spec"]["containers"]]
        assert names == ["exporter", "a"]

    @pytest.mark.parametrize(
        ("values", "flag"),
        [
            ("web: {enableUploads: true}", "--web.enable-uploads"),
            (
                "web: {allowedHosts: [mpu.example, localhost]}",
                "--web.allowed-hosts=mpu.example,localhost,demo-mpu-exporter.mon.svc",
            ),
            ("web: {enableLifecycle: true}", "--web.enable-lifecycle"),
            ("log: {format: json}", "--log.format=json"),
            ("extraArgs: [--log.level=debug]", "--log.level=debug"),
        ],
    )
    def test_flags_follow_values(self, values: str, flag: str):
        assert flag in container_of(values)["args"]
        assert flag not in container_of()["args"]

    @every_value_set
    def test_every_object_can_be_annotated_but_the_pod(self, values: Path):
        given = helm.values_from_yaml(values.read_text()) | {
            "commonAnnotations": {"a": "b"},
            "extraManifests": [],
        }
        documents = render(json.dumps(given))
        bare = [d["kind"] for d in documents if d["metadata"].get("annotations", {}).get("a") != "b"]
        assert bare == []
        assert "a" not in find_workload(documents)["spec"]["template"]["metadata"].get("annotations", {})


class TestSpread:
    def test_is_about_our_pods_unless_it_says_of_which(self):
        """Kubernetes takes a constraint without a selector for one about no pod at all."""
        ours = find("Deployment", render())["spec"]["selector"]
        rule = "maxSkew: 1, whenUnsatisfiable: DoNotSchedule, topologyKey"
        theirs = "labelSelector: {matchLabels: {tier: tools}}"
        spread = pod_of(f"topologySpreadConstraints: [{{{rule}: zone}}, {{{rule}: host, {theirs}}}]")["spec"]
        assert [c["labelSelector"] for c in spread["topologySpreadConstraints"]] == [
            ours,
            {"matchLabels": {"tier": "tools"}},
        ]

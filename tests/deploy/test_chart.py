"""The chart, rendered by the real Helm engine and checked against what Kubernetes and the exporter accept."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from charts import (
    CHART,
    KUBERNETES,
    VALUE_SETS,
    container_of,
    every_value_set,
    find,
    find_config,
    pod_of,
    render,
    render_notes,
    volume_of,
)

from exporter import __version__
from exporter.config import load
from exporter.logs import FORMATS, LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CREDENTIALS = "/run/secrets/mpu-exporter"

# The fields of a ServiceMonitor the chart may write. The operator's definition stays out of this project.
MONITOR_FIELDS = {
    "spec": {
        "endpoints",
        "jobLabel",
        "labelLimit",
        "labelNameLengthLimit",
        "labelValueLengthLimit",
        "namespaceSelector",
        "podTargetLabels",
        "sampleLimit",
        "scrapeClass",
        "selector",
        "targetLabels",
    },
    "endpoint": {
        "basicAuth",
        "honorLabels",
        "interval",
        "metricRelabelings",
        "path",
        "port",
        "relabelings",
        "scheme",
        "scrapeTimeout",
        "tlsConfig",
    },
    "relabeling": {"action", "modulus", "regex", "replacement", "separator", "sourceLabels", "targetLabel"},
    "tlsConfig": {
        "ca",
        "caFile",
        "cert",
        "certFile",
        "insecureSkipVerify",
        "keyFile",
        "keySecret",
        "serverName",
    },
    "basicAuth": {"username", "password"},
}


class TestEveryValueSet:
    @every_value_set
    def test_passes_a_strict_lint(self, values: Path):
        report = helm.lint(
            str(CHART), helm.values_from_yaml(values.read_text()), strict=True, kube_version="v1.33.0"
        )
        assert report["errors"] == []
        assert [message for message in report["messages"] if message["severity"] > 1] == []

    @every_value_set
    @pytest.mark.parametrize("version", KUBERNETES)
    def test_renders_only_what_kubernetes_knows(self, values: Path, version: str):
        documents = [d for d in render(values) if d["kind"] != "ServiceMonitor"]
        assert {"Deployment", "Service", "Pod"} <= {document["kind"] for document in documents}
        for document in documents:
            kubernetes_validate.validate(document, version, strict=True)

    @every_value_set
    def test_installs_without_a_cluster(self, values: Path):
        """As `helm install --dry-run=client`: kubeVersion, hooks and notes included."""
        release = helm.Config(namespace="mon", storage_driver="memory").install(
            str(CHART), "demo", helm.values_from_yaml(values.read_text()), dry_run="client"
        )
        assert "is being started" in release["notes"]
        assert "kind: Deployment" in release["manifest"]

    @every_value_set
    def test_every_object_is_named_placed_and_labelled(self, values: Path):
        for document in (d for d in render(values) if "extra" not in str(d) and "-text" not in str(d)):
            assert document["metadata"]["namespace"] in {"mon", "storage-monitoring", "monitoring"}
            assert document["metadata"]["labels"]["helm.sh/chart"] == "mpu-exporter-0.1.0"
            assert document["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"

    @every_value_set
    def test_the_service_reaches_the_exporter_and_nothing_else(self, values: Path):
        documents = render(values)
        selector = find("Service", documents)["spec"]["selector"].items()
        deployment = find("Deployment", documents)["spec"]
        assert selector == deployment["selector"]["matchLabels"].items()
        assert selector <= deployment["template"]["metadata"]["labels"].items()
        assert not selector <= find("Pod", documents)["metadata"]["labels"].items()

    @every_value_set
    def test_starts_the_exporter_with_flags_that_it_has(self, values: Path, tmp_path: Path):
        """Only the config file is missing here."""
        args = [a for a in container_of(values)["args"] if not a.startswith("--config.file=")]
        missing = tmp_path / "missing.yaml"
        run = subprocess.run(
            [sys.executable, "-m", "exporter", *args, f"--config.file={missing}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert run.returncode == 1
        assert run.stderr.startswith(str(missing))

    @every_value_set
    def test_an_inline_config_is_one_that_the_exporter_reads(self, values: Path, tmp_path: Path):
        given = yaml.safe_load(values.read_text())
        if "existingConfigMap" in given or "existingConfigSecret" in given:
            assert [d for d in render(values) if d["kind"] == "ConfigMap"] == []
            return
        text = find_config(render(values))
        for name in sorted(set(file_names(yaml.safe_load(text)))):
            here = tmp_path / name.lstrip("/")
            here.parent.mkdir(parents=True, exist_ok=True)
            here.write_text("content")
            text = text.replace(name, str(here))
        (tmp_path / "config.yaml").write_text(text)
        settings = load(tmp_path / "config.yaml", {"CEPH_KEY_ID": "key"})
        assert [t.name for t in settings.targets] == [t["name"] for t in yaml.safe_load(text)["targets"]]


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


class TestSchema:
    @pytest.mark.parametrize(
        ("values", "key"),
        [
            ("replica: 1", "replica"),
            ("image: {pulPolicy: Always}", "pulPolicy"),
            ("serviceMonitor: {enable: true}", "enable"),
            ("service: {ports: 80}", "ports"),
            ("serviceAccount: {annotation: {}}", "annotation"),
            ("log: {levels: info}", "levels"),
            ("credentialSecrets: [{secret: a}]", "secret"),
        ],
    )
    def test_a_typo_is_refused_by_name(self, values: str, key: str):
        with pytest.raises(helm.HelmValuesError, match=f"additional properties '{key}' not allowed"):
            render(values)

    @pytest.mark.parametrize(
        ("values", "place"),
        [
            ("replicas: 2", "/replicas"),
            ("image: {digest: latest}", "/image/digest"),
            ("image: {pullPolicy: Sometimes}", "/image/pullPolicy"),
            ("serviceMonitor: {interval: 5 minutes}", "/serviceMonitor/interval"),
            ("service: {port: 0}", "/service/port"),
            ("log: {format: xml}", "/log/format"),
            ("podAnnotations: {a: 1}", "/podAnnotations/a"),
            ("config: {targets: []}", "/config/targets"),
        ],
    )
    def test_a_wrong_value_is_refused_by_place(self, values: str, place: str):
        with pytest.raises(helm.HelmValuesError, match=f"at '{place}'"):
            render(values)

    def test_every_default_is_declared(self):
        """Closed sections of the schema and values.yaml have the same keys."""
        defaults = yaml.safe_load((CHART / "values.yaml").read_text())
        schema = yaml.safe_load((CHART / "values.schema.json").read_text())
        assert set(schema["properties"]) - {"enabled"} == set(defaults)
        for name, section in schema["properties"].items():
            if section.get("additionalProperties") is False:
                assert set(section["properties"]) == set(defaults[name])

    @pytest.mark.parametrize(
        "name",
        [n for n, v in yaml.safe_load((CHART / "values.yaml").read_text()).items() if v in ({}, [], "")],
    )
    def test_null_is_as_good_as_empty(self, name: str):
        assert pod_of(f"{name}: null") == pod_of()


class TestSubchart:
    @pytest.fixture
    def parent(self, tmp_path: Path) -> Path:
        (tmp_path / "charts").mkdir()
        (tmp_path / "charts" / "mpu-exporter").symlink_to(CHART)
        (tmp_path / "Chart.yaml").write_text(
            "{apiVersion: v2, name: parent, version: 1.0.0, dependencies: "
            "[{name: mpu-exporter, version: 0.1.0, condition: mpu-exporter.enabled}]}"
        )
        return tmp_path

    def test_takes_a_parents_globals_and_condition_key(self, parent: Path):
        values = "{global: {imageRegistry: mirror.example.com, region: eu}, mpu-exporter: {enabled: true}}"
        (container,) = find("Deployment", render(values, parent))["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"mirror.example.com/mpu-exporter:{__version__}"

    def test_is_left_out_by_its_condition_key(self, parent: Path):
        assert render("{mpu-exporter: {enabled: false}}", parent) == []

    def test_still_refuses_a_typo(self, parent: Path):
        with pytest.raises(helm.HelmValuesError, match="additional properties 'imag' not allowed"):
            render("{mpu-exporter: {imag: {}}}", parent)


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

    def test_no_secret_is_made_by_the_chart(self):
        for values in VALUE_SETS:
            assert "Secret" not in {document["kind"] for document in render(values)}


class TestConfig:
    def test_comes_from_the_values_by_default(self):
        assert volume_of("", "config")["configMap"] == {"name": "demo-mpu-exporter"}
        assert "--config.file=/etc/mpu-exporter/config.yaml" in container_of()["args"]
        assert container_of()["volumeMounts"] == [
            {"name": "config", "mountPath": "/etc/mpu-exporter", "readOnly": True}
        ]

    def test_comes_from_an_existing_secret(self):
        values = "{existingConfigSecret: mine, existingConfigKey: mpu.yaml}"
        assert volume_of(values, "config")["secret"] == {
            "secretName": "mine",
            "items": [{"key": "mpu.yaml", "path": "config.yaml"}],
        }
        assert "ConfigMap" not in {document["kind"] for document in render(values)}

    def test_comes_from_an_existing_config_map(self):
        assert volume_of("existingConfigMap: mine", "config")["configMap"] == {
            "name": "mine",
            "items": [{"key": "config.yaml", "path": "config.yaml"}],
        }

    def test_cannot_come_from_both(self):
        with pytest.raises(
            helm.HelmRenderError, match="existingConfigMap and existingConfigSecret are both set"
        ):
            render("{existingConfigMap: a, existingConfigSecret: b}")

    def test_large_numbers_stay_whole(self):
        config = find_config(render("config: {scan: {concurrency: 1000000}, x-id: 123456789012}"))
        assert yaml.safe_load(config)["scan"] == {"concurrency": 1000000}
        assert yaml.safe_load(config)["x-id"] == 123456789012

    def test_variables_are_left_to_the_exporter(self):
        config = find_config(render("config: {x-a: '${NAME:-b}', x-b: '$${', x-c: '{{ .Values }}'}"))
        assert {k: v for k, v in yaml.safe_load(config).items() if k != "targets"} == {
            "x-a": "${NAME:-b}",
            "x-b": "$${",
            "x-c": "{{ .Values }}",
        }

    def test_only_a_changed_config_restarts_the_pod(self):
        checksums = {
            values: pod_of(values)["metadata"]["annotations"]["checksum/config"]
            for values in ("", "commonLabels: {a: b}", "nameOverride: x", "config: {scan: {interval: 1m}}")
        }
        assert checksums["commonLabels: {a: b}"] == checksums[""]
        assert checksums["nameOverride: x"] == checksums[""]
        assert checksums["config: {scan: {interval: 1m}}"] != checksums[""]

    def test_a_config_the_chart_cannot_see_has_no_checksum(self):
        assert "annotations" not in pod_of("existingConfigSecret: mine")["metadata"]
        assert "rollout restart" in render_notes("existingConfigSecret: mine")

    def test_a_new_chart_version_alone_restarts_nothing(self):
        labels = pod_of()["metadata"]["labels"]
        assert sorted(labels) == [f"app.kubernetes.io/{name}" for name in ("component", "instance", "name")]

    def test_the_example_target_is_pointed_out(self):
        assert "still the example" in render_notes()
        assert "still the example" not in render_notes(CHART / "ci" / "typical-values.yaml")


class TestCredentials:
    def test_secrets_become_files_of_one_volume(self):
        values = "credentialSecrets: [{name: a}, {name: b, items: [{key: sk, path: b/sk}]}]"
        assert volume_of(values, "credentials")["projected"]["sources"] == [
            {"secret": {"name": "a"}},
            {"secret": {"name": "b", "items": [{"key": "sk", "path": "b/sk"}]}},
        ]
        assert {"name": "credentials", "mountPath": CREDENTIALS, "readOnly": True} in container_of(values)[
            "volumeMounts"
        ]

    def test_the_typical_config_names_files_that_are_mounted(self):
        values = CHART / "ci" / "typical-values.yaml"
        secrets = yaml.safe_load(values.read_text())["credentialSecrets"]
        mounted = {f"{CREDENTIALS}/{item['path']}" for secret in secrets for item in secret["items"]}
        assert set(file_names(yaml.safe_load(find_config(render(values))))) == mounted

    def test_environment_comes_from_secrets(self):
        container = container_of(
            "{extraEnv: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}],"
            " extraEnvFrom: [{secretRef: {name: t}}]}"
        )
        assert container["env"] == [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
        assert container["envFrom"] == [{"secretRef": {"name": "t"}}]


class TestServiceAccount:
    def test_is_made_without_a_token(self):
        documents = render("serviceAccount: {annotations: {eks.amazonaws.com/role-arn: arn}}")
        account = find("ServiceAccount", documents)
        assert account["automountServiceAccountToken"] is False
        assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn"}
        pod = find("Deployment", documents)["spec"]["template"]["spec"]
        assert pod["serviceAccountName"] == account["metadata"]["name"]

    def test_can_be_someone_elses(self):
        documents = render("serviceAccount: {create: false, name: theirs}")
        assert "ServiceAccount" not in {document["kind"] for document in documents}
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
        assert find("Service", documents)["spec"]["ports"] == [
            {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
        ]

    def test_the_old_pod_ends_before_the_new_one_starts(self):
        spec = find("Deployment", render())["spec"]
        assert spec["strategy"] == {"type": "Recreate"}
        assert spec["replicas"] == 1
        assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 30


class TestServiceMonitor:
    def test_is_off_by_default(self):
        assert "ServiceMonitor" not in {document["kind"] for document in render()}

    @every_value_set
    def test_has_only_fields_that_the_operator_knows(self, values: Path):
        for monitor in (d for d in render(values) if d["kind"] == "ServiceMonitor"):
            spec = monitor["spec"]
            assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
            assert set(spec) <= MONITOR_FIELDS["spec"]
            for endpoint in spec["endpoints"]:
                assert set(endpoint) <= MONITOR_FIELDS["endpoint"]
                assert set(endpoint.get("tlsConfig", {})) <= MONITOR_FIELDS["tlsConfig"]
                assert set(endpoint.get("basicAuth", {})) <= MONITOR_FIELDS["basicAuth"]
                for rule in endpoint.get("relabelings", []) + endpoint.get("metricRelabelings", []):
                    assert set(rule) <= MONITOR_FIELDS["relabeling"]

    def test_can_carry_every_field(self):
        spec = find("ServiceMonitor", render(CHART / "ci" / "everything-values.yaml"))["spec"]
        assert set(spec) == MONITOR_FIELDS["spec"]
        assert set(spec["endpoints"][0]) == MONITOR_FIELDS["endpoint"]

    def test_selects_the_one_service(self):
        documents = render("serviceMonitor: {enabled: true, labels: {release: prom}, namespace: other}")
        monitor, service = find("ServiceMonitor", documents), find("Service", documents)
        assert monitor["metadata"]["namespace"] == "other"
        assert monitor["metadata"]["labels"]["release"] == "prom"
        assert monitor["spec"]["namespaceSelector"] == {"matchNames": [service["metadata"]["namespace"]]}
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
        assert monitor["spec"]["jobLabel"] in service["metadata"]["labels"]


class TestHelmTest:
    def test_asks_the_service(self):
        documents = render("{service: {port: 80}, namespaceOverride: other}")
        *_, host, port, path = find("Pod", documents)["spec"]["containers"][0]["command"]
        assert (host, port, path) == ("demo-mpu-exporter.other.svc", "80", "/metrics")

    @pytest.mark.parametrize(
        ("status", "body", "passes"),
        [
            (200, b"# TYPE mpu_uploads_in_progress gauge\n", True),
            (200, b"<html>log in</html>", False),
            (503, b"# TYPE mpu_uploads_in_progress gauge\n", False),
        ],
    )
    def test_passes_on_metrics_alone(self, status: int, body: bytes, passes: bool):  # noqa: FBT001
        python, option, program, *_ = find("Pod", render())["spec"]["containers"][0]["command"]
        assert (python, option) == ("python", "-c")
        with HTTPServer(("127.0.0.1", 0), make_handler(status, body)) as server:
            thread = Thread(target=server.handle_request)
            thread.start()
            run = subprocess.run(
                [sys.executable, "-c", program, "127.0.0.1", str(server.server_port), "/metrics"],
                check=False,
                timeout=60,
            )
            thread.join()
        assert (run.returncode == 0) == passes


def make_handler(status: int, body: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

    return Handler


class TestFiles:
    def test_log_values_are_those_of_the_flags(self):
        log = yaml.safe_load((CHART / "values.schema.json").read_text())["properties"]["log"]["properties"]
        assert log["level"]["enum"] == list(LEVELS)
        assert log["format"]["enum"] == list(FORMATS)

    def test_versions_agree(self):
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        assert (chart["version"], chart["appVersion"]) == (__version__, __version__)

    def test_the_readme_explains_every_value(self):
        readme = (CHART / "README.md").read_text()
        for name, value in yaml.safe_load((CHART / "values.yaml").read_text()).items():
            inner = name in {"global", "image", "serviceAccount", "service", "serviceMonitor", "log"}
            for key in (f"{name}.{k}" for k in value) if inner else [name]:
                assert f"| `{key}` |" in readme

    def test_the_readme_shows_tls_as_it_is_tested(self):
        shown = (CHART / "ci/tls-values.yaml").read_text().partition("\n")[2]
        assert f"```yaml\n{shown}```\n" in (CHART / "README.md").read_text()

    def test_packages_without_the_test_values(self, tmp_path: Path):
        archive = helm.package(str(CHART), destination=str(tmp_path))
        with tarfile.open(archive) as members:
            names = members.getnames()
        assert "mpu-exporter/values.schema.json" in names
        assert not [name for name in names if "/ci/" in name]

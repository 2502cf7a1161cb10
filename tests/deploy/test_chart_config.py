"""Where the config and its secrets come from, and what a change of them does."""

from __future__ import annotations

import yaml
from charts import (
    CHART,
    container_of,
    file_names,
    find_config,
    kinds,
    pod_of,
    render,
    render_notes,
    volume_of,
)

CREDENTIALS = "/run/secrets/mpu-exporter"


class TestConfig:
    def test_comes_from_the_values_by_default(self):
        assert volume_of("", "config")["configMap"] == {"name": "demo-mpu-exporter"}
        assert "--config.file=/etc/mpu-exporter/config.yaml" in container_of()["args"]
        assert container_of()["volumeMounts"][0] == {
            "name": "config",
            "mountPath": "/etc/mpu-exporter",
            "readOnly": True,
        }

    def test_comes_from_an_existing_secret(self):
        values = "{existingConfigSecret: mine, existingConfigKey: mpu.yaml}"
        assert volume_of(values, "config")["secret"] == {
            "secretName": "mine",
            "items": [{"key": "mpu.yaml", "path": "config.yaml"}],
        }
        assert "ConfigMap" not in kinds(render(values))

    def test_comes_from_an_existing_config_map(self):
        assert volume_of("existingConfigMap: mine", "config")["configMap"] == {
            "name": "mine",
            "items": [{"key": "config.yaml", "path": "config.yaml"}],
        }

    def test_large_numbers_stay_whole(self):
        config = find_config(render("config: {scan: {concurrency: 1000000}, x-id: 123456789012}"))
        assert yaml.safe_load(config)["scan"] == {"concurrency": 1000000}
        assert yaml.safe_load(config)["x-id"] == 123456789012

    def test_variables_are_left_to_the_exporter(self):
        config = find_config(render("config: {x-a: '${NAME:-b}', x-b: '$${', x-c: '{{ .Values }}'}"))
        assert {k: v for k, v in yaml.safe_load(config).items() if k.startswith("x-")} == {
            "x-a": "${NAME:-b}",
            "x-b": "$${",
            "x-c": "{{ .Values }}",
        }


class TestReload:
    def test_a_changed_config_is_read_without_a_restart(self):
        assert "--config.watch" in container_of()["args"]
        assert pod_of() == pod_of("config: {scan: {interval: 1m}}")

    def test_a_config_of_someone_elses_too(self):
        assert "--config.watch" in container_of("existingConfigSecret: mine")["args"]
        assert "without a restart" in render_notes("existingConfigSecret: mine")

    def test_off_only_a_changed_config_restarts_the_pod(self):
        assert "--config.watch" not in container_of("reload: {enabled: false}")["args"]
        checksums = {
            values: pod_of(f"{{reload: {{enabled: false}}, {values}}}")["metadata"]["annotations"][
                "checksum/config"
            ]
            for values in ("", "commonLabels: {a: b}", "nameOverride: x", "config: {scan: {interval: 1m}}")
        }
        assert checksums["commonLabels: {a: b}"] == checksums[""]
        assert checksums["nameOverride: x"] == checksums[""]
        assert checksums["config: {scan: {interval: 1m}}"] != checksums[""]

    def test_off_a_config_the_chart_cannot_see_has_no_checksum(self):
        values = "{existingConfigSecret: mine, reload: {enabled: false}}"
        assert "annotations" not in pod_of(values)["metadata"]
        assert "rollout restart deployment/demo-mpu-exporter" in render_notes(values)

    def test_a_new_chart_version_alone_restarts_nothing(self):
        labels = pod_of()["metadata"]["labels"]
        assert sorted(labels) == [f"app.kubernetes.io/{name}" for name in ("component", "instance", "name")]


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

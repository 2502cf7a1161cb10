"""Where the config and its secrets come from, and what a change of them does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import helm_python as helm
import pytest
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

from exporter.config.load import load

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "config: {targets: [{name: p, store: s3, buckets: [b], credentials: {secret_access_key: s3cr3t}}]}"
NUMBERS = """
state: {enabled: false}
config:
  targets:
    - name: p
      store: s3
      buckets: [b]
      stale_after: 1d12h
      expected_bucket_owner: "012345678901"
      scan: {max_requests: 1099511627777, recheck_factor: 0.00004}
      price_per_1000_requests: 0.0000004
      price_per_gib_month: {STANDARD: 0.0000125, GLACIER: 0.004}
"""
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

    def test_numbers_reach_the_exporter_as_they_are(self, tmp_path: Path):
        """Helm keeps numbers as floats and writes small ones with an exponent, which is text to YAML 1.1."""
        (tmp_path / "config.yaml").write_text(find_config(render(NUMBERS)))
        (target,) = load(tmp_path / "config.yaml", {}).targets
        assert (target.scan.max_requests, target.scan.recheck_factor) == (1099511627777, 0.00004)
        assert target.price_per_1000_requests == 0.0000004
        assert target.price_per_gib_month
        assert target.price_per_gib_month.by_class == (("GLACIER", 0.004), ("STANDARD", 0.0000125))
        assert (target.stale_after, target.expected_bucket_owner) == (1.5 * 86400, "012345678901")

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


class TestSecretsInTheConfig:
    @pytest.mark.parametrize(
        ("target", "places"),
        [
            ("credentials: {secret_access_key: s3cr3t}", "credentials.secret_access_key"),
            ("credentials: {session_token: 's3cr3t$'}", "credentials.session_token"),
            ("credentials: {session_token: '${TOKEN:-s3cr3t}'}", "credentials.session_token"),
            ("credentials: {session_token: '${A}${TOKEN:-s3cr3t}'}", "credentials.session_token"),
            ("credentials: {session_token: '$${s3cr3t}'}", "credentials.session_token"),
            ("credentials: {secret_access_key: '${KEY}s3cr3t'}", "credentials.secret_access_key"),
            ("credentials: {secret_access_key: 's3cr3t${KEY}'}", "credentials.secret_access_key"),
            ("proxy_url: 'http://user:s3cr3t@proxy.example.com'", "proxy_url"),
            ("proxy_url: 'http://${USER}:s3cr3t@proxy.example.com:3128'", "proxy_url"),
            ("proxy_url: '${SCHEME}://${USER}:s3cr3t${PASSWORD}@${HOST}'", "proxy_url"),
            ("proxy_url: 'http://${USER}:${PASSWORD}s3cr3t@proxy.example.com'", "proxy_url"),
            ("proxy_url: 'http://user:${PASSWORD:-s3cr3t}@proxy.example.com'", "proxy_url"),
            ("proxy_url: 'http://user:s3cr3t/a@b@proxy.example.com'", "proxy_url"),
            ("proxy_url: 'http://s3cr3t://@proxy.example.com'", "proxy_url"),
            ('proxy_url: "http://user:s3cr3t\\n@proxy.example.com"', "proxy_url"),
            ("proxy_url: 'user:s3cr3t@proxy.example.com'", "proxy_url"),
            ("proxy_url: 'http://s3cr3t@proxy.example.com:3128'", "proxy_url"),
            ("proxy_url: 'http://s3cr3t:@proxy.example.com:3128'", "proxy_url"),
            ("proxy_url: 'http://s3cr3t${TOKEN}@proxy.example.com:3128'", "proxy_url"),
        ],
    )
    def test_are_refused_without_being_shown(self, target: str, places: str):
        values = f"config: {{targets: [{{name: p, store: s3, buckets: [b], {target}}}]}}"
        with pytest.raises(helm.HelmRenderError) as refused:
            render(values)
        assert f"holds a secret: config.targets[0].{places}. Write ${{NAME}} there" in str(refused.value)
        assert "s3cr3t" not in str(refused.value)

    @pytest.mark.parametrize("key", ["account_key", "sas_token", "connection_string"])
    def test_so_are_those_of_azure(self, key: str):
        target = f"{{name: p, store: azure, containers: [b], credentials: {{{key}: s3cr3t}}}}"
        with pytest.raises(helm.HelmError, match=rf"config\.targets\[0\]\.credentials\.{key}"):
            render(f"config: {{targets: [{target}]}}")

    @pytest.mark.parametrize(
        "target",
        [
            "credentials: {access_key_id: AKIAEXAMPLE, secret_access_key: '${KEY}', session_token: '${T:-}'}",
            "credentials: {profile: prod, assume_role: {role_arn: 'arn:aws:iam::111122223333:role/r'}}",
            "credentials: {access_key_id_file: /a, secret_access_key_file: /b}",
            "proxy_url: 'http://user:${PASSWORD}@proxy.example.com:3128'",
            "proxy_url: 'http://${USER}:${PASSWORD}@proxy.example.com:3128'",
            "proxy_url: 'http://${TOKEN}@${HOST}:3128'",
            "proxy_url: 'http://${A:-}${TOKEN}:@proxy-${REGION}.example.com'",
            "proxy_url: 'http://proxy.example.com:3128'",
            "proxy_url: '${PROXY}'",
            'credentials: {secret_access_key: "${A}${B}\\n"}',
        ],
    )
    def test_what_is_none_is_let_through(self, target: str):
        assert kinds(render(f"config: {{targets: [{{name: p, store: s3, buckets: [b], {target}}}]}}"))

    def test_are_let_through_where_the_config_is_a_secret(self):
        values = f"{{configAsSecret: true, {SECRET}}}"
        (made,) = [document for document in render(values) if document["kind"] == "Secret"]
        assert "secret_access_key: s3cr3t" in made["stringData"]["config.yaml"]
        assert volume_of(values, "config")["secret"] == {"secretName": made["metadata"]["name"]}
        assert "ConfigMap" not in kinds(render(values))

    def test_are_nothing_to_a_chart_whose_config_is_elsewhere(self):
        assert "Secret" not in kinds(
            render(f"{{existingConfigSecret: mine, configAsSecret: true, {SECRET}}}")
        )
        assert render(f"{{existingConfigSecret: mine, {SECRET}}}")


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

"""TLS and passwords: what is mounted, and who follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from charts import CHART, container_of, find, render, render_notes, volume_of
from unit.authority import Authority

from exporter.web.auth.config import read_web_config

if TYPE_CHECKING:
    from pathlib import Path

TLS = "web: {tls: {enabled: true, secret: mine}}"
CLIENTS = "web: {tls: {enabled: true, secret: mine, clientAuth: true}}"
WEB = "/run/secrets/web"


def web_config(values: str) -> str:
    (text,) = [d["data"]["web.yml"] for d in render(values) if "web.yml" in d.get("data", {})]
    return str(text)


def paths(volume: dict) -> set[str]:
    """Return the files that a projected volume of Secrets with items shows."""
    secrets = [source["secret"] for source in volume["projected"]["sources"] if "secret" in source]
    return {item["path"] for secret in secrets for item in secret["items"]}


class TestByDefault:
    def test_there_is_none(self):
        assert "web" not in [mount["name"] for mount in container_of()["volumeMounts"]]
        assert "--web.config.file" not in str(container_of())


class TestTls:
    def test_a_secret_is_enough(self):
        assert volume_of(TLS, "web")["projected"]["sources"] == [
            {"configMap": {"name": "demo-mpu-exporter-web"}},
            {
                "secret": {
                    "name": "mine",
                    "items": [{"key": "tls.crt", "path": "tls.crt"}, {"key": "tls.key", "path": "tls.key"}],
                }
            },
        ]
        assert {"name": "web", "mountPath": WEB, "readOnly": True} in container_of(TLS)["volumeMounts"]
        assert f"--web.config.file={WEB}/web.yml" in container_of(TLS)["args"]

    @pytest.mark.parametrize("values", [TLS, CLIENTS])
    def test_the_exporter_serves_with_what_is_written_and_mounted(self, values: str, tmp_path: Path):
        authority = Authority(tmp_path)
        authority.issue("server")
        given = {"tls.crt": "server.pem", "tls.key": "server-key.pem", "client-ca.crt": "ca.pem"}
        for path in paths(volume_of(values, "web")):
            (tmp_path / given[path]).rename(tmp_path / path)
        (tmp_path / "web.yml").write_text(web_config(values))
        assert read_web_config(tmp_path / "web.yml", {}).tls_context is not None

    def test_probes_follow(self):
        container = container_of(TLS)
        assert container["livenessProbe"]["httpGet"] == {
            "path": "/-/healthy",
            "port": "http",
            "scheme": "HTTPS",
        }
        assert container["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
        assert container["readinessProbe"]["periodSeconds"] == 5

    def test_a_probe_that_says_how_it_asks_is_left_alone(self):
        values = f"{{{TLS}, livenessProbe: {{httpGet: {{scheme: HTTP, port: 80}}}}}}"
        assert container_of(values)["livenessProbe"]["httpGet"]["scheme"] == "HTTP"

    def test_monitors_follow(self):
        values = f"{{{TLS}, serviceMonitor: {{enabled: true}}}}"
        (endpoint,) = find("ServiceMonitor", render(values))["spec"]["endpoints"]
        assert endpoint["scheme"] == "https"
        assert endpoint["tlsConfig"] == {
            "ca": {"secret": {"name": "mine", "key": "ca.crt"}},
            "serverName": "demo-mpu-exporter.mon.svc",
        }

    def test_monitors_can_be_told_otherwise(self):
        values = f"{{{TLS}, podMonitor: {{enabled: true, tlsConfig: {{insecureSkipVerify: true}}}}}}"
        (endpoint,) = find("PodMonitor", render(values))["spec"]["podMetricsEndpoints"]
        assert endpoint["tlsConfig"] == {"insecureSkipVerify": True}

    def test_notes_follow(self):
        assert "https://127.0.0.1:19340/" in render_notes(TLS)


class TestClientCertificates:
    def test_are_those_of_the_secrets_own_ca_unless_named(self):
        other = "web: {tls: {enabled: true, secret: mine, clientAuth: true, clientCASecret: theirs}}"
        for values, name in ((CLIENTS, "mine"), (other, "theirs")):
            assert volume_of(values, "web")["projected"]["sources"][-1]["secret"] == {
                "name": name,
                "items": [{"key": "ca.crt", "path": "client-ca.crt"}],
            }
        assert yaml.safe_load(web_config(CLIENTS))["tls_server_config"] == {
            "cert_file": "tls.crt",
            "key_file": "tls.key",
            "client_auth_type": "RequireAndVerifyClientCert",
            "client_ca_file": "client-ca.crt",
        }

    def test_a_kubelet_that_has_none_only_connects(self):
        for probe in ("livenessProbe", "readinessProbe"):
            assert container_of(CLIENTS)[probe]["tcpSocket"] == {"port": "http"}
            assert "httpGet" not in container_of(CLIENTS)[probe]
        assert container_of(CLIENTS)["livenessProbe"]["periodSeconds"] == 20


class TestOwnWebConfig:
    PASSWORDS = CHART / "ci" / "passwords-values.yaml"

    def test_takes_the_place_of_the_charts(self):
        assert volume_of(self.PASSWORDS, "web")["projected"]["sources"][0] == {"secret": {"name": "mpu-web"}}
        assert f"--web.config.file={WEB}/config.yml" in container_of(self.PASSWORDS)["args"]
        assert [d["metadata"]["name"] for d in render(self.PASSWORDS) if d["kind"] == "ConfigMap"] == [
            "demo-mpu-exporter"
        ]

    def test_may_be_without_tls(self):
        values = "web: {existingConfigSecret: mine}"
        assert "scheme" not in container_of(values)["livenessProbe"]["httpGet"]
        assert volume_of(values, "web")["projected"]["sources"] == [{"secret": {"name": "mine"}}]
        assert "auth_excluded_paths" in render_notes(values)

"""What `helm test` runs: it asks the Service for metrics, and passes on metrics alone."""

from __future__ import annotations

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from charts import find, render
from servers import free_port
from servers.exporter import serving, target
from unit.authority import Authority

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = {"targets": [target("nowhere", "http://127.0.0.1:9", "bucket")]}
TLS = "cert_file: server.pem, key_file: server-key.pem"
CLIENTS = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem"
USERS = "basic_auth_users: {ann: $2b$04$V2QJ3/.NF6gbpOaHQbMUcOBU/JBc5QCHF2MVY3bVDCcKlN8nJnLSi}"


def command(values: str = "") -> list[str]:
    found: list[str] = find("Pod", render(values))["spec"]["containers"][0]["command"]
    return found


def problem(*arguments: str) -> str:
    """Run the pod's program; return what is wrong, "" where nothing is."""
    python, option, program, *_ = command()
    assert (python, option) == ("python", "-c")
    line = [sys.executable, "-c", program, *arguments]
    run = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == bool(run.stderr)
    return run.stderr


class TestUrl:
    @pytest.mark.parametrize(
        ("values", "arguments"),
        [
            ("", ["http://demo-mpu-exporter.mon.svc:19340/metrics"]),
            ("{service: {port: 80}, namespaceOverride: o}", ["http://demo-mpu-exporter.o.svc:80/metrics"]),
            (
                "{service: {port: 80, clusterIP: None}, metricsPath: /m}",
                ["http://demo-mpu-exporter.mon.svc:19340/m"],
            ),
            (
                "web: {tls: {enabled: true, secret: a}}",
                ["https://demo-mpu-exporter.mon.svc:19340/metrics"],
            ),
            (
                "web: {tls: {enabled: true, secret: a, clientAuth: true}}",
                ["https://demo-mpu-exporter.mon.svc:19340/metrics", "may-refuse"],
            ),
            (
                "web: {existingConfigSecret: a}",
                ["http://demo-mpu-exporter.mon.svc:19340/metrics", "may-refuse"],
            ),
        ],
    )
    def test_is_the_services(self, values: str, arguments: list[str]):
        assert command(values)[3:] == arguments


@pytest.mark.parametrize(
    ("status", "body", "wrong"),
    [
        (200, b"# TYPE mpu_uploads_in_progress gauge\n", ""),
        (200, b"<html>log in</html>", "no metrics, but '<html>log in</html>'"),
        (503, b"# TYPE mpu_uploads_in_progress gauge\n", "HTTP Error 503"),
    ],
)
def test_passes_on_metrics_alone(status: int, body: bytes, wrong: str):
    with HTTPServer(("127.0.0.1", 0), make_handler(status, body)) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        found = problem(f"http://127.0.0.1:{server.server_port}/metrics")
        thread.join()
    assert (wrong in found) if wrong else found == ""


def test_fails_where_nobody_listens():
    assert "refused" in problem(f"http://127.0.0.1:{free_port()}/metrics", "may-refuse")


@pytest.mark.parametrize(
    ("web", "options", "wrong"),
    [
        ("{}", [], ""),
        (f"{{tls_server_config: {{{TLS}}}}}", [], ""),
        (f"{{tls_server_config: {{{TLS}, {CLIENTS}}}}}", ["may-refuse"], ""),
        (f"{{tls_server_config: {{{TLS}, {CLIENTS}, max_version: TLS12}}}}", ["may-refuse"], ""),
        (f"{{tls_server_config: {{{TLS}, {CLIENTS}}}}}", [], "certificate required"),
        (f"{{{USERS}}}", ["may-refuse"], ""),
        (f"{{{USERS}}}", [], "HTTP Error 401"),
    ],
)
def test_passes_on_the_exporter_itself(web: str, options: list[str], wrong: str, tmp_path: Path):
    authority = Authority(tmp_path / "pem")
    authority.issue("server")
    file = authority.folder / "web.yml"
    file.write_text(web)
    with serving(tmp_path, CONFIG, f"--web.config.file={file}") as exporter:
        found = problem(f"{exporter.url}/metrics", *options)
    assert (wrong in found) if wrong else found == ""


def make_handler(status: int, body: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

    return Handler

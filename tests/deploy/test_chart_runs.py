"""The pods of the chart, run as processes: what values promise is what the exporter does."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from charts import find_workload, render
from kubelet import helm_test, pod_running
from servers import free_port, wait_until
from servers.exporter import target
from unit.authority import Authority

if TYPE_CHECKING:
    from pathlib import Path

TLS = {"enabled": True, "secret": "mpu-tls"}


def nowhere(*names: str) -> dict[str, Any]:
    """Return a config of targets where nobody answers."""
    keys = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "${STORE_KEY}"}
    targets = [target(name, "http://127.0.0.1:9", "bucket", credentials=keys) for name in names]
    return {"scan": {"retries": 0}, "targets": targets}


def objects(**values: object) -> list[dict[str, Any]]:
    environment = [{"name": "STORE_KEY", "value": "secret"}]
    given = {"containerPort": free_port(), "config": nowhere("prod"), "extraEnv": environment, **values}
    return render(json.dumps(given))


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, dict[str, str]]:
    authority = Authority(tmp_path / "pem")
    authority.issue("server")
    files = {"tls.crt": "server.pem", "tls.key": "server-key.pem", "ca.crt": "ca.pem"}
    read = {key: (authority.folder / file).read_text() for key, file in files.items()}
    passwords = (
        "tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n"
        "basic_auth_users: {ann: $2b$04$V2QJ3/.NF6gbpOaHQbMUcOBU/JBc5QCHF2MVY3bVDCcKlN8nJnLSi}\n"
        "auth_excluded_paths: [/-/healthy, /-/ready]\n"
    )
    return {"mpu-tls": read, "mpu-web": {"web.yml": passwords}}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"state": {"persistence": {"enabled": True}}},
        {"state": {"enabled": False}, "metricsPath": "/other"},
        {"web": {"tls": TLS}},
        {"web": {"tls": {**TLS, "clientAuth": True}}},
        {"web": {"tls": TLS, "existingConfigSecret": "mpu-web"}},
    ],
    ids=["default", "persistent", "memory", "tls", "client certificates", "passwords"],
)
def test_is_ready_and_passes_helm_test_and_ends(
    values: dict[str, Any], secrets: dict[str, dict[str, str]], tmp_path: Path
):
    documents = objects(**values)
    with pod_running(tmp_path / "pod", documents, secrets) as pod:
        run = subprocess.run(
            helm_test(documents, pod.port), capture_output=True, text=True, check=False, timeout=60
        )
        assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("values", [{}, {"state": {"mountPath": "/data", "persistence": {"enabled": True}}}])
def test_its_state_is_on_the_volume(values: dict[str, Any], tmp_path: Path):
    with pod_running(tmp_path / "pod", objects(**values), {}):
        assert (tmp_path / "pod/volumes/state/state.db").exists()


def test_each_shard_knows_which_it_is(tmp_path: Path):
    documents = objects(shards=3)
    assert find_workload(documents)["spec"]["replicas"] == 3
    with pod_running(tmp_path / "pod", documents, {}, POD_NAME="demo-mpu-exporter-2") as pod:
        metrics = pod.get("/metrics")
    assert "\nmpu_shards 3.0\n" in metrics
    assert "\nmpu_shard_ordinal 2.0\n" in metrics


def test_a_changed_config_is_used_without_a_restart(tmp_path: Path):
    with pod_running(tmp_path / "pod", objects(), {}) as pod:
        assert 'target="prod"' in pod.get("/metrics")
        changed = {"name": "config", "configMap": {"name": "demo-mpu-exporter"}}
        (config,) = [d for d in objects(config=nowhere("other")) if d["kind"] == "ConfigMap"]
        pod.volumes.sources["demo-mpu-exporter"] = config["data"]
        pod.volumes.update(changed)
        wait_until("the new target", lambda: 'target="other"' in pod.get("/metrics"))


def test_keys_come_from_secrets(tmp_path: Path):
    inside = "/run/secrets/mpu-exporter"
    keys = {"access_key_id_file": f"{inside}/ceph/id", "secret_access_key_file": f"{inside}/ceph/key"}
    config = {"targets": [target("ceph", "http://127.0.0.1:9", "bucket", credentials=keys)]}
    items = [{"key": "id", "path": "ceph/id"}, {"key": "key", "path": "ceph/key"}]
    documents = objects(
        config={"scan": {"retries": 0}, **config}, credentialSecrets=[{"name": "ceph-store", "items": items}]
    )
    with pod_running(tmp_path / "pod", documents, {"ceph-store": {"id": "AKIA", "key": "secret"}}) as pod:
        failing = 'mpu_scan_failing{bucket="bucket",reason="connection",store="s3",target="ceph"} 1.0'
        wait_until("a scan", lambda: failing in pod.get("/metrics"))

"""The chart's own Deployment and ConfigMap, run by `podman play kube` with the image built here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from charts import find, render
from servers import free_port, wait_until
from servers.image import IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.podman import Container, Podman

pytestmark = pytest.mark.timeout(900)  # the first one waits for the build
REPOSITORY, TAG = IMAGE.removeprefix("localhost/").split(":")
VALUES = {"image": {"registry": "localhost", "repository": REPOSITORY, "tag": TAG, "pullPolicy": "Never"}}


def config(target: str) -> dict[str, Any]:
    """Return the config of one target, where nobody answers."""
    keys = {"access_key_id": "key", "secret_access_key": "secret"}
    nowhere = {
        "store": "s3",
        "region": "us-east-1",
        "endpoint_url": "http://127.0.0.1:9",
        "credentials": keys,
    }
    return {"scan": {"retries": 0}, "targets": [{"name": target, "buckets": ["none"], **nowhere}]}


def shows(target: str) -> str:
    return f'mpu_scan_success{{bucket="none",store="s3",target="{target}"}} 0.0'


def objects(port: int, **values: object) -> list[dict[str, Any]]:
    """Return what podman can play of the rendered chart, published on a loopback port."""
    rendered = render(yaml.safe_dump({**VALUES, "config": config("inline"), **values}))
    kept = [found for found in rendered if found["kind"] in ("ConfigMap", "Deployment")]
    for found in kept:
        del found["metadata"]["namespace"]
    (container,) = find("Deployment", kept)["spec"]["template"]["spec"]["containers"]
    container["ports"][0] |= {"hostPort": port, "hostIP": "127.0.0.1"}
    return kept


class Mounted:
    """A folder that changes as a kubelet changes it: what `..data` leads to is swapped in one step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "config.yaml").symlink_to("..data/config.yaml")
        self._version = 0

    def swap(self, config: dict[str, Any]) -> None:
        self._version += 1
        version = self.folder / f"..{self._version}"
        version.mkdir()
        (version / "config.yaml").write_text(yaml.safe_dump(config))
        (self.folder / "..next").symlink_to(version.name)
        (self.folder / "..next").replace(self.folder / "..data")


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def container(podman: Podman, port: int) -> Iterator[Container]:
    with podman.playing(objects(port), port) as container:
        container.wait_for(shows("inline"))
        yield container


def test_the_deployment_reads_its_config_has_no_rights_and_ends_on_sigterm(container: Container):
    expected = {"user": "65532:65532", "capabilities": 0, "new": False, "seccomp": True, "root": "ro"}
    assert expected == container.rights()
    assert container.stop() == 0


def test_runs_as_the_uid_that_the_cluster_chose(podman: Podman, port: int):
    chosen = {"runAsUser": 1000650000, "runAsGroup": 0, "fsGroup": 1000650000}
    with podman.playing(objects(port, podSecurityContext=chosen), port) as container:
        container.wait_for(shows("inline"))
        assert container.rights()["user"] == "1000650000:0"


def test_reads_its_config_again_when_the_mounted_folder_is_swapped(podman: Podman, port: int, tmp_path: Path):
    mounted = Mounted(tmp_path)
    mounted.swap(config("before"))
    played = objects(port, extraArgs=["--config.watch"])
    (volume,) = [
        v for v in find("Deployment", played)["spec"]["template"]["spec"]["volumes"] if v["name"] == "config"
    ]
    del volume["configMap"]
    volume["hostPath"] = {"path": str(mounted.folder)}
    tmp_path.chmod(0o755)
    with podman.playing(played, port) as container:
        container.wait_for(shows("before"))
        mounted.swap(config("after"))
        container.wait_for(shows("after"))
        wait_until("the old target's end", lambda: shows("before") not in container.text())
        mounted.swap({"targets": []})
        container.wait_for("mpu_config_last_reload_successful 0.0")
        assert shows("after") in container.text()
        assert container.stop() == 0

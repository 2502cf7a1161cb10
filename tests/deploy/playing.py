"""The rendered chart as podman can play it, and a folder that changes as a kubelet changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from charts import find, render
from servers.image import IMAGE

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY, TAG = IMAGE.removeprefix("localhost/").split(":")
VALUES = {
    "image": {"registry": "localhost", "repository": REPOSITORY, "tag": TAG, "pullPolicy": "Never"},
    "extraEnv": [{"name": "STORE_KEY", "value": "secret"}],
}


def config(target: str) -> dict[str, Any]:
    """Return the config of one target, where nobody answers."""
    keys = {"access_key_id": "key", "secret_access_key": "${STORE_KEY}"}
    nowhere = {
        "store": "s3",
        "region": "us-east-1",
        "endpoint_url": "http://127.0.0.1:9",
        "credentials": keys,
    }
    return {"scan": {"retries": 0}, "targets": [{"name": target, "buckets": ["none"], **nowhere}]}


def shows(target: str) -> str:
    return f'mpu_scan_success{{bucket="none",store="s3",target="{target}"}} 0.0'


def chart(**values: object) -> list[dict[str, Any]]:
    """Return the chart with our image and the config of one target."""
    return render(yaml.safe_dump({**VALUES, "config": config("inline"), **values}))


def playable(port: int, **values: object) -> list[dict[str, Any]]:
    """Return what podman can play of the rendered chart, published on a loopback port."""
    kept = [found for found in chart(**values) if found["kind"] in ("ConfigMap", "Deployment")]
    for found in kept:
        del found["metadata"]["namespace"]
    _publish(find("Deployment", kept)["spec"]["template"]["spec"], port)
    return kept


def shard(port: int, name: str, shards: int) -> list[dict[str, Any]]:
    """Return one pod of so many as their StatefulSet, which podman cannot play, would make it."""
    rendered = chart(shards=shards)
    spec = find("StatefulSet", rendered)["spec"]["template"]["spec"]
    _publish(spec, port)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    return [find("ConfigMap", rendered), pod]


def _publish(spec: dict[str, Any], port: int) -> None:
    (container,) = spec["containers"]
    container["ports"][0] |= {"hostPort": port, "hostIP": "127.0.0.1"}


class Mounted:
    """A folder that changes as a kubelet changes it: what `..data` leads to is swapped in one step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o755)
        (folder / "config.yaml").symlink_to("..data/config.yaml")
        self._version = 0

    def swap(self, config: dict[str, Any]) -> None:
        self._version += 1
        version = self.folder / f"..{self._version}"
        version.mkdir()
        (version / "config.yaml").write_text(yaml.safe_dump(config))
        (self.folder / "..next").symlink_to(version.name)
        (self.folder / "..next").replace(self.folder / "..data")

    def take_over(self, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the objects with this folder where the ConfigMap was mounted: podman's cannot be swapped."""
        volumes = find("Deployment", objects)["spec"]["template"]["spec"]["volumes"]
        (volume,) = [volume for volume in volumes if volume["name"] == "config"]
        del volume["configMap"]
        volume["hostPath"] = {"path": str(self.folder)}
        return objects

"""As much of a kubelet as the chart needs: it lays out volumes, starts the container, asks probes."""

from __future__ import annotations

import ssl
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from charts import find, find_workload
from servers import listens, running, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Files = dict[str, str]
Objects = list[dict[str, Any]]


class Volumes:
    """The folders that a container sees, each at another place on this machine."""

    def __init__(self, root: Path, documents: Objects, secrets: dict[str, Files]) -> None:
        """Lay out those of the exporter's pod, from the chart's objects and from Secrets beside them."""
        self._root = root
        self.sources = {
            d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"
        } | secrets
        workload = find_workload(documents)["spec"]
        pod = workload["template"]["spec"]
        self.places = {m["mountPath"]: root / m["name"] for m in pod["containers"][0]["volumeMounts"]}
        for volume in pod["volumes"]:
            self.update(volume)
        for claim in workload.get("volumeClaimTemplates", []):
            (root / claim["metadata"]["name"]).mkdir()

    def translate(self, text: str) -> str:
        """Return a text with the container's paths as they are on this machine."""
        for inside, here in self.places.items():
            text = text.replace(inside, str(here))
        return text

    def update(self, volume: dict[str, Any]) -> None:
        """Put the files of a volume in place, all at once: what `..data` leads to is swapped."""
        folder = self._root / volume["name"]
        folder.mkdir(exist_ok=True)
        version = folder / f"..{len(list(folder.iterdir()))}"
        version.mkdir()
        for name, content in self._files(volume).items():
            (version / name).parent.mkdir(parents=True, exist_ok=True)
            (version / name).write_text(self.translate(content))
            top = folder / name.split("/")[0]
            if not top.is_symlink():
                top.symlink_to(f"..data/{top.name}")
        (folder / "..next").symlink_to(version.name)
        (folder / "..next").replace(folder / "..data")

    def _files(self, volume: dict[str, Any]) -> Files:
        sources = volume.get("projected", {}).get("sources", [volume])
        return {name: text for source in sources for name, text in self._from(source).items()}

    def _from(self, source: dict[str, Any]) -> Files:
        found = source.get("configMap") or source.get("secret")
        if not found:
            return {}
        data = self.sources[found.get("name") or found["secretName"]]
        items = found.get("items") or [{"key": key, "path": key} for key in data]
        return {item["path"]: data[item["key"]] for item in items}


@dataclass(frozen=True)
class Pod:
    """A running pod: its container as the chart wrote it, its volumes, and where it listens."""

    container: dict[str, Any]
    volumes: Volumes
    port: int

    def passes(self, probe: dict[str, Any]) -> bool:
        """Ask a probe once."""
        if "tcpSocket" in probe:
            return listens(self.port)
        asked = probe["httpGet"]
        try:
            return bool(self.get(asked["path"], asked.get("scheme", "HTTP").lower()))
        except OSError:
            return False

    def get(self, path: str, scheme: str = "http") -> str:
        """Return what it answers. Like a kubelet, it does not look at the certificate."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        url = f"{scheme}://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=10, context=context) as answer:
            return str(answer.read().decode())

    def wait_ready(self, log: Path) -> None:
        """Wait until both probes pass."""
        for name in ("livenessProbe", "readinessProbe"):
            wait_until(name, lambda probe=self.container[name]: self.passes(probe), log=log)


@contextmanager
def pod_running(root: Path, documents: Objects, secrets: dict[str, Files], **environ: str) -> Iterator[Pod]:
    """Run the exporter's container while the block lasts; it has to end well at its end."""
    container = find_workload(documents)["spec"]["template"]["spec"]["containers"][0]
    (root / "volumes").mkdir(parents=True)
    volumes = Volumes(root / "volumes", documents, secrets)
    port = container["ports"][0]["containerPort"]
    args = [volumes.translate(arg).replace("=:", "=127.0.0.1:") for arg in container["args"]]
    log = root / "log"
    given = {each["name"]: each["value"] for each in container.get("env", []) if "value" in each}
    variables = ["env", *(f"{name}={value}" for name, value in (given | environ).items())]
    with running([*variables, sys.executable, "-m", "exporter", *args], log) as process:
        wait_until("container", lambda: listens(port) or process.poll() is not None, log=log)
        pod = Pod(container, volumes, port)
        pod.wait_ready(log)
        yield pod
        process.terminate()
        assert process.wait(30) == 0


def helm_test(documents: Objects, port: int) -> list[str]:
    """Return the command of the chart's test pod, for an exporter on a loopback port."""
    python, *options = find("Pod", documents)["spec"]["containers"][0]["command"]
    assert python == "python"
    host = f"127.0.0.1:{port}"
    return [sys.executable, *(host.join(split_url(o)) if o.startswith("http") else o for o in options)]


def split_url(url: str) -> tuple[str, str]:
    """Return what stands before and after a URL's host and port."""
    scheme, _, rest = url.partition("://")
    _, slash, path = rest.partition("/")
    return f"{scheme}://", slash + path

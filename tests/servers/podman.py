"""podman with a store of its own; needs no systemd, no bridge and no firewall, and leaves nothing behind."""

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import wait_until

HOST = "10.0.2.2"
"""This machine's loopback, as containers see it."""
_NETWORK = "slirp4netns:allow_host_loopback=true"
_CONTAINERS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
tmp_dir = "{folder}/tmp"
"""
_STORAGE = """
[storage]
driver = "{driver}"
graphroot = "{folder}/store"
runroot = "{folder}/run"
"""


@dataclass(frozen=True)
class Container:
    """A running container of the image."""

    podman: "Podman"
    name: str
    url: str

    def rights(self) -> dict[str, object]:
        """Return what the kernel lets its process do."""
        process = Path("/proc") / self.podman("inspect", "--format", "{{.State.Pid}}", self.name).strip()
        status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
        mounts = [line.split() for line in (process / "mountinfo").read_text().splitlines()]
        (root,) = [mount[5] for mount in mounts if mount[4] == "/"]
        return {
            "user": f"{status['Uid'].split()[0]}:{status['Gid'].split()[0]}",
            "capabilities": int(status["CapEff"], 16),
            "new privileges": status["NoNewPrivs"] == "0",
            "seccomp": status["Seccomp"] == "2",
            "root": root.split(",")[0],
        }

    def text(self, path: str = "/metrics") -> str:
        """Return what it answers, '' where it does not yet."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    def log(self) -> str:
        """Return what it has logged."""
        return self.podman("logs", self.name, both=True)

    def wait_for(self, line: str) -> None:
        """Wait until its metrics have this text."""
        try:
            wait_until(line, lambda: line in self.text())
        except TimeoutError as error:
            raise TimeoutError(f"{error}{self.log()}") from None

    def stop(self) -> int:
        """Send SIGTERM, and SIGKILL should it not end; return the exit code."""
        self.podman("stop", "--time", "30", self.name)
        return int(self.podman("inspect", "--format", "{{.State.ExitCode}}", self.name))


@dataclass(frozen=True)
class Podman:
    """podman whose images, containers and volumes are all below one folder."""

    folder: Path

    def configure(self) -> None:
        """Write its settings."""
        settings = {"folder": self.folder, "driver": self._driver()}
        for name, text in (("containers.conf", _CONTAINERS), ("storage.conf", _STORAGE)):
            (self.folder / name).write_text(text.format(**settings))

    def _driver(self) -> str:
        """Return what may keep layers there: an overlay cannot lie on another, as a container's root is."""
        kind = subprocess.run(
            ["stat", "-f", "-c", "%T", self.folder], capture_output=True, text=True, check=True
        )
        return "vfs" if kind.stdout.strip() == "overlayfs" else "overlay"

    def __call__(self, *words: str, both: bool = False) -> str:
        """Run a command and return its output, with `both` that of standard error too."""
        settings = {
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
        }
        done = subprocess.run(
            ["podman", "--log-level=fatal", *words],  # without systemd it complains of every health timer
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env={**os.environ, **settings},
        )
        if done.returncode:
            raise RuntimeError(
                f"podman {' '.join(words)}: {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}"
            )
        return done.stdout + done.stderr if both else done.stdout

    @contextmanager
    def running(self, image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[Container]:
        """Run an image, its port published on a free one of the loopback, while the block lasts."""
        published = ("--network", _NETWORK, "--publish", "127.0.0.1::19340")
        name = self("run", "--detach", "--timeout", "900", *published, *options, image, *command).strip()
        try:
            address = self("port", name, "19340/tcp").strip()
            yield Container(self, name, f"http://{address}")
        finally:
            self("rm", "--force", "--time", "0", name)

    @contextmanager
    def playing(self, documents: list[dict[str, object]], port: int) -> Iterator[Container]:
        """Run rendered objects as a kubelet would, while the block lasts; the pod publishes this port."""
        file = self.folder / f"{port}.json"
        file.write_text("\n---\n".join(map(json.dumps, documents)))  # JSON is YAML
        made = self("play", "kube", "--network", _NETWORK, str(file))
        pod, container = re.findall(r"^[0-9a-f]{64}$", made, re.MULTILINE)
        try:
            yield Container(self, container, f"http://127.0.0.1:{port}")
        finally:
            self("pod", "rm", "--force", "--time", "0", pod)
            self("volume", "prune", "--force")

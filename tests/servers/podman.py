"""podman with a store of its own, and in it this project's image.

Its base is made of Debian's packages, so that no registry takes part.
"""

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from servers import need, wait_until

ROOT = Path(__file__).parents[2]
SUITE = "trixie"
"""The Debian release whose Python the base has."""
BASE = f"localhost/python:{SUITE}"
IMAGE = "localhost/mpu-exporter:test"
VERSION, REVISION = "1.2.3", "0123456789abcdef"
HOST = "10.0.2.2"
"""This machine's loopback, as containers see it."""
_NETWORK = (
    "slirp4netns:allow_host_loopback=true"  # needs no bridge and no firewall, and ends with its container
)
_EPOCH = "1767225600"
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
driver = "overlay"
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
            "new": status["NoNewPrivs"] == "0",
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

    def python(self, program: str) -> str:
        """Return what a program prints in the image."""
        return self("run", "--rm", "--network=none", "--entrypoint=python", IMAGE, "-c", program)

    @contextmanager
    def running(
        self, *options: str, image: str = IMAGE, command: tuple[str, ...] = ()
    ) -> Iterator[Container]:
        """Run the exporter, published on a free loopback port, while the block lasts."""
        words = ("run", "--detach", "--network", _NETWORK, "--publish", "127.0.0.1::19340", *options)
        name = self(*words, image, *command).strip()
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

    def build(self, image: str, *options: str) -> None:
        """Build the image; its pip trusts and asks what this machine's does."""
        pip = self.folder / "pip.conf"
        pip.write_text("[global]\ncert = /run/ca.pem\n" + _index())
        self(
            *("build", "--format", "docker", "--isolation", "chroot", "--pull=never", "--timestamp", _EPOCH),
            *("--volume", f"{_certificates()}:/run/ca.pem:ro", "--volume", f"{pip}:/etc/pip.conf:ro"),
            *("--build-arg", f"PYTHON_IMAGE={BASE}", "--build-arg", f"VERSION={VERSION}"),
            *("--build-arg", f"REVISION={REVISION}", *options, "--tag", image, str(ROOT)),
        )

    def make_base(self) -> None:
        """Make what stands in for the official slim image, which has a `python` and `venv` as well."""
        tar = self.folder / "base.tar"
        command = [
            *(
                "mmdebstrap",
                "--quiet",
                "--variant=essential",
                "--include=python3,python3-venv,ca-certificates",
            ),
            *("--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/doc/*"),
            *("--customize-hook=ln -s python3 $1/usr/bin/python", SUITE, str(tar)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        self("import", "--quiet", str(tar), BASE)
        tar.unlink()


def _certificates() -> str:
    return os.environ.get("PIP_CERT") or "/etc/ssl/certs/ca-certificates.crt"


def _index() -> str:
    url = os.environ.get("PIP_INDEX_URL")
    return f"index-url = {url}\n" if url else ""


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    """Give podman with the image built; nothing of it is left behind."""
    need("podman", "runc", "slirp4netns", "mmdebstrap")
    with TemporaryDirectory(prefix="mpu-podman-", ignore_cleanup_errors=True) as name:
        podman = Podman(Path(name))
        for file, text in (("containers.conf", _CONTAINERS), ("storage.conf", _STORAGE)):
            (podman.folder / file).write_text(text.format(folder=name))
        podman.make_base()
        podman.build(IMAGE)
        try:
            yield podman
        finally:
            podman("rm", "--all", "--force", "--time", "0")
            subprocess.run(
                ["umount", str(podman.folder / "store" / "overlay")], capture_output=True, check=False
            )

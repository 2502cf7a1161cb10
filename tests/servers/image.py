"""This project's image, built by podman on a base made of Debian's packages: no registry takes part."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from servers import need
from servers.podman import Podman

ROOT = Path(__file__).parents[2]
IMAGE = "localhost/mpu-exporter:test"
VERSION, REVISION = "1.2.3", "0123456789abcdef"
_SUITE = "trixie"  # its Python is a newer one than that of Debian 12
_BASE = f"localhost/python:{_SUITE}"
_EPOCH = "1767225600"
_BOOTSTRAP = (
    *("mmdebstrap", "--quiet", "--variant=essential", "--include=python3,python3-venv,ca-certificates"),
    *("--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/doc/*"),
    "--customize-hook=ln -s python3 $1/usr/bin/python",
    "--customize-hook=find $1/usr/lib -name __pycache__ -prune -exec rm -r {} +",
)


def make_base(podman: Podman) -> None:
    """Make what stands in for the official slim image: a `python` with `venv`, and no bytecode."""
    tar = podman.folder / "base.tar"
    command = [*_BOOTSTRAP, _SUITE, str(tar)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    podman("import", "--quiet", str(tar), _BASE)
    tar.unlink()


def build(podman: Podman, image: str, **arguments: str) -> None:
    """Build an image with these build arguments; its pip trusts and asks whom this machine's does."""
    authorities = os.environ.get("PIP_CERT", "/etc/ssl/certs/ca-certificates.crt")
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple")
    pip = podman.folder / "pip.conf"
    pip.write_text(f"[global]\ncert = /run/ca.pem\nindex-url = {index}\n")
    given = {"PYTHON_IMAGE": _BASE, "VERSION": VERSION, "REVISION": REVISION, **arguments}
    podman(
        *("build", "--format=docker", "--isolation=chroot", "--pull=never", f"--timestamp={_EPOCH}"),
        *(f"--volume={authorities}:/run/ca.pem:ro", f"--volume={pip}:/etc/pip.conf:ro"),
        *(f"--build-arg={name}={value}" for name, value in given.items()),
        *(f"--tag={image}", str(ROOT)),
    )


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    """Give podman with the image built; nothing of it is left behind."""
    need("podman", "runc", "slirp4netns", "mmdebstrap")
    with TemporaryDirectory(prefix="mpu-podman-") as name:
        podman = Podman(Path(name))
        podman.configure()
        try:
            make_base(podman)
            build(podman, IMAGE)
            yield podman
        finally:
            podman("rm", "--all", "--force", "--time=0")

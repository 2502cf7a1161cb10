"""What is told where no file may be opened: the limit, and what raises it."""

from __future__ import annotations

import errno
import gc
import os
import resource
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from itertools import count, filterfalse, islice
from typing import TYPE_CHECKING

import pytest
from fakes import Recorder

from exporter.config.load import load
from exporter.config.problems import ConfigError
from exporter.model.errors import Reason, StoreError
from exporter.state.database import StateDatabase, StateError
from exporter.stores.secret_sources import CredentialSourceError, read_token
from exporter.stores.transport.client import Request, Transport
from exporter.stores.transport.errors import from_curl
from exporter.text.file_limit import because, shortage
from exporter.web.auth.tls_context import find_pem_problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


SYSTEM = "the system as a whole has no file descriptor left: raise fs.file-max"


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@contextmanager
def files_left(number: int) -> Iterator[str]:
    """Allow so many files to be opened while the block lasts; yield what is told to be raised."""
    gc.collect()
    gc.disable()  # it would close what other tests have left open
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = next(islice(filterfalse(is_open, count()), number, None))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield f"raise the limit of {limit:,} (ulimit -n, LimitNOFILE= of systemd, or the container's)"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        gc.enable()


@pytest.fixture
def transport() -> Transport:
    return Transport(Recorder(), threading.Event())


@pytest.fixture
def url() -> Iterator[str]:
    """Yield the URL of a server that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def send(transport: Transport, url: str) -> None:
    with transport.call("ListParts", time.monotonic() + 0.5):
        transport.send(Request("ListParts", "GET", url, []))


def send_at_once(transport: Transport, url: str) -> None:
    multi = transport.borrow()
    multi.start(url, [], 1, "label")
    [(_, error, _)] = multi.completed(5)
    raise from_curl("ListParts", error)


@pytest.mark.parametrize("left", [0, 1, 2])
@pytest.mark.parametrize("how", [send, send_at_once])
def test_a_call_that_finds_no_file_descriptor_names_the_limit(how, left, transport, url):
    for _ in range(5):  # a timeout: a thread of another test has closed a file meanwhile
        with files_left(left) as advice, pytest.raises(StoreError) as caught:
            how(transport, url)
        if caught.value.reason is not Reason.TIMEOUT:
            break
    assert (caught.value.reason, caught.value.retryable) == (Reason.CONNECTION, True)
    assert f"too many files are open: {advice}, or lower scan.concurrency or scan.workers" in str(
        caught.value
    )


@pytest.mark.parametrize("left", [3, 4])
def test_certificates_that_cannot_be_opened_for_it_are_no_fault_of_tls(left, transport, url):
    with files_left(left), pytest.raises(StoreError) as caught:
        send(transport, url.replace("http://127.0.0.1", "https://localhost"))
    assert caught.value.reason in {Reason.CONNECTION, Reason.TIMEOUT}


def test_where_enough_may_be_opened_nothing_is_told_of_it(transport):
    assert not shortage()
    with pytest.raises(StoreError) as caught:
        send(transport, "http://127.0.0.1:1/")
    assert "files" not in str(caught.value)


def read_config(path: Path) -> None:
    load(path, {})


def read_state(path: Path) -> None:
    StateDatabase(path).open(threading.Event())


def read_certificate(path: Path) -> None:
    raise OSError(find_pem_problem("cert_file", path))


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (read_config, ConfigError),
        (read_state, StateError),
        (read_certificate, OSError),
        (lambda path: read_token(str(path)), CredentialSourceError),
    ],
    ids=["config", "state", "certificate", "token"],
)
def test_so_does_a_file_that_cannot_be_read(read, kind, tmp_path):
    path = tmp_path / "file"
    path.write_text("targets: []\n", encoding="utf-8")
    with files_left(0) as advice, pytest.raises(kind) as caught:
        read(path)
    assert f"Too many open files: {advice}" in str(caught.value)
    assert "its permissions" not in str(caught.value)


def test_a_state_file_that_sqlite_cannot_open_is_told_likewise(tmp_path, caplog):
    state = StateDatabase(tmp_path / "state.db")
    with files_left(2) as advice:  # that of the lock, and the database's without its log's
        state.open(threading.Event())
    state.close()
    [record] = caplog.records
    assert f"unable to open database file: too many files are open: {advice}" == record.fields["error"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EACCES, "Permission denied: look"),
        (
            errno.ENFILE,
            f"Too many open files in system: {SYSTEM}",
        ),
    ],
)
def test_other_errors_have_the_advice_of_their_place(number, text):
    assert text == because(OSError(number, os.strerror(number)), "look")


def test_an_error_without_a_number_is_told_by_its_kind():
    assert because(ssl.SSLError()) == "SSLError"

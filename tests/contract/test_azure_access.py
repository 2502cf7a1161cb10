"""Azure's store with each kind of credentials: what is asked, and what it says of those that are refused."""

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
from contract.authority import Authority
from contract.rig_azure import CONTAINER, container
from contract.rigs import PARTS, UPLOADS, Rig, Upload, failure
from contract.scans import scan
from fakes import NOW
from servers.azure import Blob, Sas, blocks_of
from servers.entra import CLIENT, TENANT, Tokens
from servers.standin import StandIn

from exporter.config.credentials import Credentials, Secret
from exporter.model.errors import Reason

SIGNATURE = "c2lnbmF0dXJlIG9mIGEgdG9rZW4="
SAS = f"sv=2021-12-02&sr=c&sp=rl&sig={SIGNATURE.replace('=', '%3D')}"
OTHER_KEY = base64.b64encode(b"another key").decode()
OpenContainer = Callable[..., Rig]


@pytest.fixture
def open_container() -> Iterator[OpenContainer]:
    with ExitStack() as stack:

        def opened(**changes: object) -> Rig:
            rig = stack.enter_context(container(**changes))
            rig.server.tokens[SIGNATURE] = Sas()
            rig.server.containers[CONTAINER] = {"a": Blob("a", blocks_of([3, 4]))}
            return rig

        yield opened


def by_sas(text: str = SAS) -> Credentials:
    return Credentials(sas_token=Secret(text))


def test_a_sas_token_lists_and_sizes_and_no_request_is_signed(open_container: OpenContainer):
    rig = open_container(credentials=by_sas())
    summary = scan(rig).summary
    assert (summary.uploads, summary.parts, summary.bytes) == (1, 2, 7)
    assert [request.target.endswith(f"&{SAS}") for request in rig.standin.requests] == [True, True]
    assert [request.headers.get("authorization") for request in rig.standin.requests] == [None, None]


def test_a_file_that_names_another_account_is_not_followed_with_what_is_remembered_of_the_first(
    open_container: OpenContainer, tmp_path: Path
):
    file = tmp_path / "connection"
    rig = open_container(account=None, credentials=Credentials(connection_string=Secret(file=file)))
    text = f"AccountName={rig.server.key.access_key_id};AccountKey={rig.server.key.secret}"
    file.write_text(text)
    assert scan(rig).summary.uploads == 1
    file.write_text(text.replace(rig.server.key.access_key_id, "another"))
    error = failure(rig.uploads)
    assert error.reason is Reason.CREDENTIALS
    assert f"connection_string_file ({file}) names another storage account" in str(error)


def test_one_without_the_right_to_read_lists_and_says_which_right_is_missing(open_container: OpenContainer):
    rig = open_container(credentials=by_sas())
    rig.server.tokens[SIGNATURE] = Sas("l")
    result = scan(rig)
    assert (result.summary.uploads, result.summary.unsized, result.summary.bytes) == (1, 1, None)
    error = failure(rig.size, Upload("a", ""))
    assert (error.reason, error.code) == (Reason.ACCESS_DENIED, "AuthorizationPermissionMismatch")
    assert SIGNATURE not in str(error)


@pytest.mark.parametrize(
    ("emulator", "credentials", "advice"),
    [
        (False, Credentials(account_key=Secret(OTHER_KEY)), "the key is none of this account's"),
        (True, Credentials(account_key=Secret(OTHER_KEY)), "the key is none of this account's"),
        (False, by_sas("sv=2021-12-02&sig=unknown"), "the SAS token is cut or changed"),
        (False, by_sas(), "the SAS token has expired, or does not hold yet: make a new one"),
    ],
    ids=["key", "key of the emulator", "SAS", "expired SAS"],
)
def test_what_is_refused_says_what_to_do(
    open_container: OpenContainer, credentials: Credentials, advice: str, *, emulator: bool
):
    rig = open_container(credentials=credentials, emulator=emulator)
    rig.server.tokens[SIGNATURE] = Sas(until=NOW - 1e9)
    for ask in (rig.ids, lambda: rig.store.list_buckets(None, 1e12)):
        error = failure(ask)
        assert error.reason is Reason.CREDENTIALS
        assert f"; {advice}" in str(error)


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_another_clock_is_followed_and_remembered(open_container: OpenContainer, seconds: float):
    rig = open_container()
    rig.server.skew = seconds
    dated = formatdate(time.time() + seconds, usegmt=True)
    for operation in (UPLOADS, PARTS):
        rig.fault(operation, reply=lambda reply: replace(reply, headers={**reply.headers, "Date": dated}))
    assert [scan(rig).summary.bytes for _ in range(2)] == [7, 7]
    assert rig.standin.requests[0].headers["x-ms-date"] != rig.standin.requests[1].headers["x-ms-date"]
    assert rig.traffic.failures == {}


def test_a_secret_of_entra_gives_tokens_and_a_refused_one_is_asked_for_anew(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    tokens = Tokens(time.time)
    with StandIn(tokens, tls=authority.context(), name="localhost") as entra, ExitStack() as stack:
        for name, text in {
            "AZURE_AUTHORITY_HOST": entra.url,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_CLIENT_SECRET": tokens.secret,
        }.items():
            monkeypatch.setenv(name, text)
        rig = stack.enter_context(container(tls=authority.context(), credentials=Credentials()))
        rig.retarget(tls=authority.tls)
        rig.server.bearers.add("token-1")
        rig.server.containers[CONTAINER] = {"a": Blob("a", blocks_of([3]))}
        assert scan(rig).summary.bytes == 3
        rig.server.bearers = {"token-2"}
        assert scan(rig).summary.bytes == 3

"""Store azure before Azurite: what is an upload, who may ask what, and how failures are told."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from servers.azure import Azure
from servers.azurite import ACCOUNT, KEY, Azurite
from servers.blobs import BlobClient, container_sas
from servers.commands import run
from servers.exporter import serving
from servers.matrix.exporter import Said, config, scan
from servers.standin import StandIn

HOUR = timedelta(hours=1)
UPLOADS, BLOCKS, BYTES = 3, 5, 1_142
OTHER_KEY = "YW5vdGhlciBrZXk="
NO_KEY = "the key is none of this account's, or no longer; or the SAS token has expired"


def stage(client: BlobClient, name: str) -> None:
    """Make a container of three uploads among blobs that are none."""
    client.create(name)
    client.put(name, "a/first", 1, 20)
    client.put(name, "a/first", 2, 10)
    client.put(name, "a/first", 1, 100)
    client.put(name, "b", 7, 12)
    client.put(name, "ended, begun again", 1, 5)
    client.clear(name, "ended, begun again")
    client.put(name, "ended, begun again", 1, 900)
    client.put(name, "ended, begun again", 2, 120)
    for committed in ("whole", "whole, with further blocks"):
        client.put(name, committed, 1, 5)
        client.commit(name, committed, [1])
    client.put(name, "whole, with further blocks", 2, 700)
    client.commit(name, "empty")
    client.put(name, "deleted", 1, 5)
    client.clear(name, "deleted")


def stage_other_kinds(client: BlobClient, name: str) -> None:
    """Add blobs whose block lists must not be asked for: an append blob, a page blob and a snapshot."""
    client.ask("PUT", f"{name}/append", x_ms_blob_type="AppendBlob")
    client.ask("PUT", f"{name}/page", x_ms_blob_type="PageBlob", x_ms_blob_content_length="0")
    client.put(name, "snapshot", 1, 5)
    client.commit(name, "snapshot", [1])
    client.ask("PUT", f"{name}/snapshot", "comp=snapshot")
    client.put(name, "snapshot", 2, 900)


@pytest.fixture(scope="module")
def container(azurite: Azurite) -> str:
    name = "media"
    stage(azurite.client, name)
    stage_other_kinds(azurite.client, name)
    azurite.client.ask("PUT", name, "restype=container&comp=metadata", x_ms_meta_team="video")
    return name


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    """Give a server that answers as Azure does, with the same blobs."""
    azure = Azure()
    with StandIn(azure) as server:
        with closing(BlobClient(f"{server.url}/{azure.key.access_key_id}", azure.key.secret)) as client:
            stage(client, "media")
        yield server


def target(azurite: Azurite, name: str, **settings: Any) -> dict[str, Any]:
    usual = {"account": ACCOUNT, "endpoint_url": azurite.process.endpoint_url, "containers": ["media"]}
    return {"name": name, "store": "azure", "credentials": {"account_key": KEY}, **usual, **settings}


def by_token(azurite: Azurite, name: str, rights: str, since: timedelta, until: timedelta) -> dict[str, Any]:
    now = datetime.now(UTC)
    token = container_sas(ACCOUNT, KEY, "media", rights, since=now + since, until=now + until)
    return target(azurite, name, credentials={"sas_token": token})


@pytest.fixture(scope="module")
def said(
    azurite: Azurite, container: str, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Said]:
    """Give what one scan says of the container, by how it was asked."""
    connection = f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={azurite.account_url}"
    standin_keys = {"account": Azure().key.access_key_id, "credentials": {"account_key": Azure().key.secret}}
    targets = [
        *(target(azurite, f"pages-of-{size}", scan={"page_size": size}) for size in (1, 2, 5000)),
        target(azurite, "stand-in", endpoint_url=standin.url, scan={"page_size": 2}, **standin_keys),
        target(azurite, "connection-string", credentials={"connection_string": connection}),
        by_token(azurite, "lists-and-reads", "rl", -HOUR, HOUR),
        by_token(azurite, "lists", "l", -HOUR, HOUR),
        by_token(azurite, "reads", "r", -HOUR, HOUR),
        by_token(azurite, "expired", "rl", -2 * HOUR, -HOUR),
        by_token(azurite, "of-the-future", "rl", HOUR, 2 * HOUR),
        target(azurite, "another-key", credentials={"account_key": OTHER_KEY}),
        target(azurite, "another-account", account="nobody"),
        target(azurite, "missing", containers=["missing"]),
    ]
    for each in targets:
        if "connection_string" in each["credentials"]:
            del each["account"], each["endpoint_url"]
    found = scan(tmp_path_factory.mktemp("azurite"), config(targets))
    return {name: said for (name, _), said in found.items()}


@pytest.mark.parametrize(
    "how", ["pages-of-1", "pages-of-2", "pages-of-5000", "stand-in", "connection-string", "lists-and-reads"]
)
def test_uncommitted_blobs_are_counted_and_their_blocks_summed(said: dict[str, Said], how: str):
    assert (said[how].uploads, said[how].parts, said[how].bytes) == (UPLOADS, BLOCKS, BYTES)
    assert {each.split()[0] for each in said[how].told} == {"undated", "notice"}


def test_a_token_that_lists_and_does_not_read_counts_uploads_that_nothing_sizes(said: dict[str, Said]):
    found = said["lists"]
    assert (found.uploads, found.parts, found.bytes) == (UPLOADS, None, None)
    assert f"unsized {UPLOADS}" in found.told


@pytest.mark.parametrize(
    ("how", "reason", "advice"),
    [
        ("reads", "access_denied", "grant the permission"),
        ("expired", "credentials", NO_KEY),
        ("of-the-future", "credentials", NO_KEY),
        ("another-key", "credentials", NO_KEY),
        ("another-account", "not_found", "there is no such account at this server"),
        ("missing", "not_found", "check the name"),
    ],
)
def test_a_refusal_has_its_reason_and_says_what_to_do(
    said: dict[str, Said], how: str, reason: str, advice: str
):
    assert reason == said[how].failed.partition(":")[0]
    assert f"; {advice}" in said[how].failed


def test_the_probe_names_the_letter_that_a_token_lacks(azurite: Azurite, container: str, tmp_path: Path):
    token = by_token(azurite, "prod", "l", -HOUR, HOUR)
    done = run("check", tmp_path, token, flags=("--probe",))
    assert "\n\nMissing, to be granted:\n  sp=r in the SAS token\n\nNotes:\n" in done.stdout
    assert "sig=" not in done.stdout + done.stderr


def test_first_sight_dates_uploads_and_is_remembered_over_a_restart(
    azurite: Azurite, container: str, tmp_path: Path
):
    """Azurite dates uncommitted blobs, which Azure does not: its dates must not be shown."""
    found = target(azurite, "prod", discover={"include": ["med*"]}, tags=["team"])
    del found["containers"]
    settings = {"state": {"path": str(tmp_path / "state.db")}, "targets": [found]}
    started, oldest = time.time(), []
    for name in ("first", "again"):
        (tmp_path / name).mkdir()
        with serving(tmp_path / name, settings) as exporter:
            oldest.append(exporter.wait_tried("media")["mpu_oldest_initiated_timestamp_seconds", "media"])
            assert 'tag_team="video"' in exporter.text()
    assert oldest[0] == oldest[1] >= started

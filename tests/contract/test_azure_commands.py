"""Commands on Azure Blob Storage by a config that says no more than it has to."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers.azure import ACCOUNT, Azure, Blob, blocks_of
from servers.standin import StandIn

from exporter.cli.commands import check, scan
from exporter.cli.main import parser

DAY = 86400.0
FINISHED, UPLOADS = 20, 3


@pytest.fixture
def config(tmp_path: Path) -> Iterator[str]:
    """Give the config of a container whose blobs are mostly finished."""
    azure = Azure()
    blobs = [Blob(f"{number:02}", length=7) for number in range(FINISHED)]
    blobs += [Blob(f"{number:02}-unfinished", blocks_of([5] * (number + 1))) for number in range(UPLOADS)]
    azure.containers["media"] = {blob.name: blob for blob in blobs}
    with StandIn(azure) as server:
        target = {
            "name": "blobs",
            "store": "azure",
            "account": ACCOUNT,
            "endpoint_url": f"{server.url}/{ACCOUNT}",
            "containers": ["media"],
            "credentials": {"account_key": azure.key.secret},
        }
        file = tmp_path / "config.yaml"
        file.write_text(json.dumps({"scan": {"page_size": 10}, "targets": [target]}))
        yield f"--config.file={file}"


def test_an_estimate_counts_all_blobs(config: str, capsys: pytest.CaptureFixture[str]):
    assert check.run(parser().parse_args(["check", "--estimate", config])) == 0
    _, head, row, *_ = capsys.readouterr().out.splitlines()
    assert head.split()[2:4] == ["listed", "uploads"]
    pages, scans = 3, 30 * 24
    assert row.split()[2:5] == [str(FINISHED + UPLOADS), str(UPLOADS), str(pages + UPLOADS)]
    assert row.split()[-2] == f"{scans * (pages + UPLOADS):,}"


def test_a_scan_shows_how_azure_cleans_up_and_the_fullest_upload(
    config: str, capsys: pytest.CaptureFixture[str]
):
    assert scan.run(parser().parse_args(["scan", "--format=prometheus", config])) == 0
    found = {
        sample.name + sample.labels.get("scope", ""): sample.value
        for family in text_string_to_metric_families(capsys.readouterr().out)
        for sample in family.samples
    }
    assert {
        "mpu_abort_rule_presentstore": 1,
        "mpu_abort_rule_secondsstore": 7 * DAY,
        "mpu_fullest_upload_parts": UPLOADS,
        "mpu_stale_after_seconds": DAY,
        "mpu_scan_interval_seconds": 3600,
        "mpu_uploads_in_progress": UPLOADS,
        "mpu_pending_bytes": 5 * (1 + 2 + 3),
    }.items() <= found.items()
    assert "mpu_abort_rule_presentbucket" not in found

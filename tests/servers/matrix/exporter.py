"""Runs the exporter's commands on a server of the matrix, and reads what they say of each bucket."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from servers.matrix.declaration import Server

AGES = ["1h"]


def target(
    server: Server, name: str, url: str, engine: str, buckets: Iterable[object], **settings: Any
) -> dict[str, Any]:
    """Return a target of the config; `scan` and `prefix` are among the settings."""
    if engine == "azure":
        return {"name": name, "store": engine, **_azure(server, url, buckets), **server.settings, **settings}
    keys = {"access_key_id": server.access_key, "secret_access_key": server.secret_key}
    if engine.startswith("obs-"):
        kind: dict[str, Any] = {"store": "obs", "signature": engine.removeprefix("obs-")}
    else:
        kind = {"store": "s3", "engine": engine}
    usual = {"name": name, "endpoint_url": url, "region": server.region, "credentials": keys}
    if kind["store"] == "s3" or kind["signature"] == "v4":
        usual["addressing_style"] = "path"
    return {**usual, **kind, "buckets": list(buckets), **server.settings, **settings}


def _azure(server: Server, url: str, containers: Iterable[object]) -> dict[str, Any]:
    keys = {"account_key": server.secret_key}
    address = {"account": server.access_key, "endpoint_url": f"{url}/{server.access_key}"}
    return {**address, "containers": list(containers), "credentials": keys}


def config(targets: Iterable[Mapping[str, Any]], **more: object) -> dict[str, Any]:
    scan = {"retries": 1, "request_timeout": "20s", "timeout": "60s", "workers": 2}
    return {"scan": scan, "ages": AGES, "targets": list(targets), **more}


@dataclass(frozen=True)
class Said:
    """What a command said of a bucket: its numbers, or why there are none, and everything it adds to them.

    `told` are the words in which it says that the numbers are not all: `unsized 2`, `notice …`.
    """

    failed: str = ""
    uploads: int | None = None
    parts: int | None = None
    bytes: int | None = None
    oldest: float | None = None
    told: tuple[str, ...] = ()
    found: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The uploads by id, or by key where they have none, where the command lists them."""


Found = dict[tuple[str, str], Said]
"""By target and bucket."""


def scan(folder: Path, settings: Mapping[str, Any]) -> Found:
    """Run `scan --format=json`."""
    document, lines = _run(folder, settings, "scan")
    return {
        (row["target"], row["bucket"]): _said(row, _lines(lines, row["target"], row["bucket"]))
        for row in document["buckets"]
    }


def uploads(folder: Path, settings: Mapping[str, Any]) -> Found:
    """Run `uploads --format=json`."""
    document, lines = _run(folder, settings, "uploads", "--limit=0")
    failures = {
        (row["target"], row["bucket"]): f"{row['reason']}: {row['message']}" for row in document["failures"]
    }
    rows: dict[tuple[str, str], list[Mapping[str, Any]]] = {
        (each["name"], bucket): []
        for each in settings["targets"]
        for bucket in each.get("buckets") or each["containers"]
    }
    for row in document["uploads"]:
        rows[row["target"], row["bucket"]].append(row)
    return {
        names: Said(failed=failures[names]) if names in failures else _listed(found, _lines(lines, *names))
        for names, found in rows.items()
    }


def _listed(found: list[Mapping[str, Any]], notices: list[str]) -> Said:
    counted = [row for row in found if not row.get("denied")]
    told = [f"denied {row['key']!r}" for row in found if row.get("denied")]
    told += [f"unlisted {row['key']!r}" for row in found if row.get("unlisted")]
    told += [f"unsized {row['key']!r}" for row in found if row["bytes"] is None and not row.get("denied")]
    initiated = [row["initiated"] for row in counted if row["initiated"] is not None]
    return Said(
        uploads=len(counted),
        parts=sum(row["parts"] or 0 for row in counted),
        bytes=sum(row["bytes"] or 0 for row in counted),
        oldest=min(initiated, default=None),
        told=(*told, *notices),
        found={row["upload_id"] or row["key"]: row for row in counted},
    )


def _said(row: Mapping[str, Any], notices: list[str]) -> Said:
    if not row["success"]:
        return Said(failed=f"{row['reason']}: {row['message']}")
    values = row["values"]
    kinds = ("unsized", "undated", "unlisted", "denied")
    told = [f"{kind} {values[f'{kind}_uploads']}" for kind in kinds if values.get(f"{kind}_uploads")]
    told += [f"notice {each}" for each in row.get("notices") or ()]
    return Said(
        uploads=values["uploads"],
        parts=values["parts"],
        bytes=values["bytes"],
        oldest=values["oldest_initiated"],
        told=(*told, *notices),
    )


def _run(folder: Path, settings: Mapping[str, Any], name: str, *flags: str) -> tuple[Any, list[str]]:
    file = folder / "config.yaml"
    file.write_text(json.dumps(settings))
    line = [sys.executable, "-m", "exporter", name, f"--config.file={file}", "--format=json", *flags]
    done = subprocess.run(line, capture_output=True, encoding="utf-8", timeout=240, check=False)
    assert done.returncode in {0, 2}, done.stderr[-3000:]
    return json.loads(done.stdout), done.stderr.splitlines()


def _lines(lines: list[str], name: str, bucket: str) -> list[str]:
    """Return what standard error says of a bucket."""
    about = re.compile(rf"^{re.escape(name)}/{re.escape(bucket)}: ")
    return [f"notice {about.sub('', line)}" for line in lines if about.match(line)]

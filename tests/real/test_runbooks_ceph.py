"""What the runbooks have people type on a Ceph cluster works on one."""

from __future__ import annotations

import json
import shlex
from functools import partial
from typing import TYPE_CHECKING

from docs.documents import ROOT, blocks, commands
from servers import wait_until
from servers.ceph import GATEWAY, ask_monitor
from servers.commands import run
from servers.exporter import target
from servers.fill import fill

if TYPE_CHECKING:
    from pathlib import Path

    from servers.ceph import Ceph

RUNBOOKS = {page.stem: page.read_text(encoding="utf-8") for page in (ROOT / "helm/runbooks").glob("*.md")}


def rules() -> dict[str, object]:
    """Return the lifecycle configuration that a runbook has people set."""
    [text] = blocks(RUNBOOKS["MpuNoAbortRule"], "json")
    found: dict[str, object] = json.loads(text)
    return found


def typed(program: str, bucket: str, owner: str) -> list[list[str]]:
    """Return the arguments of each call of a program in the runbooks, once, with names of ours."""
    calls = [shlex.join(words) for page in RUNBOOKS.values() for words in commands(page, program) if words]
    names = [call.replace("=media", f"={bucket}").replace("=OWNER", f"={owner}") for call in calls]
    return [shlex.split(call) for call in sorted(set(names))]


def test_the_cluster_understands_every_command(ceph: Ceph, ceph_bucket: str):
    ceph.client().put_bucket_lifecycle_configuration(Bucket=ceph_bucket, LifecycleConfiguration=rules())
    gateway = typed("radosgw-admin", ceph_bucket, ceph.mpu.name)
    answers = {" ".join(words): ceph.run("radosgw-admin", *GATEWAY, *words) for words in gateway}
    for words in typed("ceph", ceph_bucket, ceph.mpu.name):
        wait_until(f"ceph {words}", partial(ask_monitor, ceph, *words))
    assert "abort-incomplete-uploads" in answers[f"lc get --bucket={ceph_bucket}"]
    assert ceph_bucket in answers["lc list"]
    assert f"lc process --bucket={ceph_bucket}" in answers


def watched(ceph: Ceph, bucket: str, **settings: object) -> dict[str, object]:
    keys = {"access_key_id": ceph.mpu.access_key, "secret_access_key": ceph.mpu.secret_key}
    return target("prod", ceph.endpoint_url, bucket, region="default", credentials=keys, **settings)


def test_the_rule_is_seen_by_the_exporter(ceph: Ceph, ceph_bucket: str, tmp_path: Path):
    ceph.client().put_bucket_lifecycle_configuration(Bucket=ceph_bucket, LifecycleConfiguration=rules())
    done = run("scan", tmp_path, watched(ceph, ceph_bucket, lifecycle=True), flags=("--format=prometheus",))
    labels = f'bucket="{ceph_bucket}",scope="bucket",store="s3",target="prod"'
    assert f"mpu_abort_rule_seconds{{{labels}}} {7 * 86400}.0\n" in done.stdout


def flags_of(call: list[str]) -> frozenset[str]:
    """Return the flags of a call, of `--format` with its value: the others' values change little."""
    return frozenset(flag if "format" in flag else flag.partition("=")[0] for flag in call)


def test_commands_about_a_bucket_run(ceph: Ceph, ceph_bucket: str, tmp_path: Path):
    fill(ceph.client(), ceph_bucket, ["dumps/monday.tar"], lambda _: {1: 10})
    calls = [call for call in typed("mpu-exporter", ceph_bucket, ceph.mpu.name) if "--target=prod" in call]
    assert {name for name, *_ in calls} == {"check", "scan", "uploads"}
    widest = [call for call in calls if not any(flags_of(call) < flags_of(other) for other in calls)]
    for name, *flags in {flags_of(call): call for call in widest}.values():
        own = tuple(flag for flag in flags if not flag.startswith("--config.file="))
        done = run(name, tmp_path, watched(ceph, ceph_bucket), flags=own)
        assert done.returncode == 0, (name, own, done.stderr)

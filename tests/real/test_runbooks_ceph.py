"""What the runbooks have people type on a Ceph cluster works on one."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from docs.documents import ROOT, blocks, commands
from servers.ceph import GATEWAY, NO_CONFIG
from servers.exporter import serving

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
        assert ceph.run("ceph", NO_CONFIG, *words)
    assert "abort-incomplete-uploads" in answers[f"lc get --bucket={ceph_bucket}"]
    assert ceph_bucket in answers["lc list"]
    assert f"lc process --bucket={ceph_bucket}" in answers


def test_the_rule_is_seen_by_the_exporter(ceph: Ceph, ceph_bucket: str, tmp_path: Path):
    ceph.client().put_bucket_lifecycle_configuration(Bucket=ceph_bucket, LifecycleConfiguration=rules())
    target = {
        "name": "ceph",
        "store": "s3",
        "endpoint_url": ceph.endpoint_url,
        "buckets": [ceph_bucket],
        "credentials": {"access_key_id": ceph.mpu.access_key, "secret_access_key": ceph.mpu.secret_key},
        "lifecycle": True,
    }
    with serving(tmp_path, {"targets": [target]}) as exporter:
        exporter.wait_tried(ceph_bucket)
        text = exporter.text()
    labels = f'bucket="{ceph_bucket}",scope="bucket",store="s3",target="ceph"'
    assert f"mpu_abort_rule_seconds{{{labels}}} {7 * 86400}.0\n" in text

"""Every set of values in ci/, checked against what Helm, Kubernetes and the exporter accept."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

import helm_python as helm
import kubernetes_validate
import yaml
from cases import in_turn
from charts import (
    CHART,
    KUBERNETES,
    VALUE_SETS,
    container_of,
    every_value_set,
    file_names,
    find,
    find_config,
    find_service,
    find_workload,
    kinds,
    render,
    versions_of,
)
from custom_kinds import is_custom

from exporter.config.load import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS = {"mon", "storage-monitoring", "monitoring"}


@every_value_set
def test_passes_a_strict_lint(values: Path):
    given = helm.values_from_yaml(values.read_text())
    report = helm.lint(str(CHART), given, strict=True, kube_version="v1.33.0")
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > 1] == []


@every_value_set
@in_turn("version", KUBERNETES)
def test_renders_only_what_kubernetes_knows(values: Path, version: str):
    documents = render(values)
    assert {"Service", "Pod"} < kinds(documents)
    for document in documents if version in versions_of(values) else []:
        if not is_custom(document):
            judge(json.dumps(document), version)


@cache
def judge(document: str, version: str) -> None:
    """Fail for what Kubernetes does not know; once for an object that several sets have alike."""
    kubernetes_validate.validate(json.loads(document), version, strict=True)


@every_value_set
def test_installs_without_a_cluster(values: Path):
    """As `helm install --dry-run=client`: kubeVersion, hooks and notes included."""
    release = helm.Config(namespace="mon", storage_driver="memory").install(
        str(CHART), "demo", helm.values_from_yaml(values.read_text()), dry_run="client"
    )
    assert release["notes"].startswith("mpu-exporter 0.1.0 is ")
    assert "kind: Service" in release["manifest"]


@every_value_set
def test_every_object_is_named_placed_and_labelled(values: Path):
    for document in (d for d in render(values) if "extra" not in str(d) and "-text" not in str(d)):
        assert document["metadata"]["namespace"] in OURS
        assert document["metadata"]["labels"]["helm.sh/chart"] == "mpu-exporter-0.1.0"
        assert document["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


@every_value_set
def test_no_two_objects_are_the_same(values: Path):
    names = [(d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]) for d in render(values)]
    assert sorted(set(names), key=str) == sorted(names, key=str)


@every_value_set
def test_the_service_reaches_the_exporter_and_nothing_else(values: Path):
    documents = render(values)
    selector = find_service(documents)["spec"]["selector"].items()
    workload = find_workload(documents)["spec"]
    assert selector == workload["selector"]["matchLabels"].items()
    assert selector <= workload["template"]["metadata"]["labels"].items()
    assert not selector <= find("Pod", documents)["metadata"]["labels"].items()


@every_value_set
def test_a_secret_is_made_only_where_values_say_so(values: Path):
    wanted = yaml.safe_load(values.read_text()).get("configAsSecret", False)
    assert ("Secret" in kinds(render(values))) == wanted


@every_value_set
def test_nothing_is_mounted_that_kubernetes_would_not_update(values: Path):
    assert "subPath" not in str(render(values))


@every_value_set
def test_every_mount_has_its_volume(values: Path):
    workload = find_workload(render(values))["spec"]
    pod = workload["template"]["spec"]
    claims = [claim["metadata"]["name"] for claim in workload.get("volumeClaimTemplates", [])]
    mounts = [mount["name"] for mount in pod["containers"][0]["volumeMounts"]]
    assert sorted(mounts) == sorted([*claims, *(volume["name"] for volume in pod["volumes"])])


@every_value_set
def test_starts_the_exporter_with_flags_that_it_has(values: Path, tmp_path: Path):
    """Only the config file is missing here."""
    left_out = ("--config.file=", "--web.config.file=")
    args = [a for a in container_of(values)["args"] if not a.startswith(left_out)]
    missing = tmp_path / "missing.yaml"
    run = subprocess.run(
        [sys.executable, "-m", "exporter", *args, f"--config.file={missing}"],
        env={"POD_NAME": "demo-mpu-exporter-0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 1
    assert run.stderr.startswith(str(missing))


@every_value_set
def test_an_inline_config_is_one_that_the_exporter_reads(values: Path, tmp_path: Path):
    given = yaml.safe_load(values.read_text())
    if "existingConfigMap" in given or "existingConfigSecret" in given:
        assert "ConfigMap" not in kinds(render(values))
        return
    text = find_config(render(values))
    config = yaml.safe_load(text)
    for name in sorted({*file_names(config), *config.get("state", {}).values()}):
        here = tmp_path / name.lstrip("/")
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_text("sig=content" if "sas" in name else "content")
        text = text.replace(name, str(here))
    (tmp_path / "config.yaml").write_text(text)
    settings = load(tmp_path / "config.yaml", {"CEPH_KEY_ID": "key"})
    assert [t.name for t in settings.targets] == [t["name"] for t in yaml.safe_load(text)["targets"]]


def leaves(values: object, path: str = "") -> Iterator[str]:
    """Yield where maps of values end."""
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    else:
        yield path


def test_every_value_of_the_chart_is_set_in_some_of_them():
    """Not those that are Kubernetes' own; those of single alerts are elsewhere."""
    given = {place for values in VALUE_SETS for place in leaves(yaml.safe_load(values.read_text()))}
    defaults = set(leaves(yaml.safe_load((CHART / "values.yaml").read_text())))
    missing = {d for d in defaults if not any(g == d or g.startswith(f"{d}.") for g in given)}
    assert {m for m in missing if not re.search(r"Probe\.|ecurityContext\.|^alerts\.rules\.", m)} == set()

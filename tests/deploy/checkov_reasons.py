"""What checkov finds in the chart, and why each finding stays; checkov.sh runs this."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml
from charts import CHART, render
from custom_kinds import is_custom

LIMITS = "what it may need depends on how many uploads there are: values.yaml requests, and bounds nothing"
TAG = "a release's tag is never used again; image.digest is there for those who want to be sure"
OPEN = "who may ask is known only where it runs: networkPolicy is off unless turned on"
ENDS = "helm test: a pod that asks once and ends has no use for probes"
SILENT = "helm test: a pod that listens to nothing needs no policy"
CHOSEN = "this set of values turns on what is off by default, to show that it can be"

BY_DEFAULT = {
    "CKV_K8S_11": LIMITS,
    "CKV_K8S_13": LIMITS,
    "CKV_K8S_15": TAG,
    "CKV_K8S_43": TAG,
}
HELM_TEST = {"Pod CKV_K8S_8": ENDS, "Pod CKV_K8S_9": ENDS, "Pod CKV2_K8S_6": SILENT}


def of(workload: str) -> dict[str, str]:
    """Return the reasons for the default values, for pods of a Deployment or a StatefulSet."""
    pods = {f"{kind} {check}": why for kind in (workload, "Pod") for check, why in BY_DEFAULT.items()}
    return {**pods, **HELM_TEST, f"{workload} CKV2_K8S_6": OPEN}


REASONS = {
    "default": of("Deployment"),
    "sharded": of("StatefulSet"),
    "sharded-persistent": of("StatefulSet"),
    "tls": of("Deployment"),
    "everything": {**HELM_TEST, "Deployment CKV_K8S_35": CHOSEN, "Deployment CKV_K8S_38": CHOSEN},
    "hardened": HELM_TEST,
}
"""By set of values: kind and check, and why."""


def write(folder: Path) -> None:
    """Write what is to be looked at."""
    for name in REASONS:
        documents = [d for d in render(CHART / f"ci/{name}-values.yaml") if not is_custom(d)]
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(documents))


def found(folder: Path, name: str) -> set[str]:
    """Return the kinds and checks that failed."""
    results = json.loads((folder / f"{name}.json").read_text())["results"]["failed_checks"]
    # Checks of relations name a pod by its labels: in a workload's name there are none.
    return {f"{kind_of(result['resource'], name)} {result['check_id']}" for result in results}


def kind_of(resource: str, name: str) -> str:
    kind = resource.partition(".")[0]
    if kind == "Pod" and "app.kubernetes.io" in resource:
        return "StatefulSet" if "sharded" in name else "Deployment"
    return kind


def read(folder: Path) -> int:
    """Say which findings have no reason, and which reasons no finding; return how many."""
    faults = 0
    for name, reasons in REASONS.items():
        failed = found(folder, name)
        for fault in sorted(failed ^ set(reasons)):
            print(f"{name}: {fault}: " + ("no reason" if fault in failed else "no longer found"))  # noqa: T201
            faults += 1
    print(f"{len(REASONS)} sets of values, {faults} findings without a reason or reasons without one")  # noqa: T201
    return faults


if __name__ == "__main__":
    step, scratch = sys.argv[1:]
    sys.exit(write(Path(scratch)) if step == "write" else min(read(Path(scratch)), 1))

"""From any set of values to any other: what Kubernetes refuses or keeps, and what the chart says first.

The cluster is a model. `tests/deploy/upgrades.sh` does the same with Helm 4 and Helm 3 and a real API server.
"""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from itertools import permutations
from typing import TYPE_CHECKING, Any

import helm_python as helm
import pytest
import yaml
from api_server import api_server
from charts import CHART, VALUE_SETS, every_value_set, find_workload, render
from cluster import Cluster

if TYPE_CHECKING:
    from pathlib import Path

SERVICE = ["Service: clusterIP never changes"]
CLAIMS = ["StatefulSet: volumeClaimTemplates never changes"]
FAMILIES = ["Service: the first of ipFamilies never changes"]
REFUSED = {"memory-values": SERVICE, "ingress-values": FAMILIES}
"""What the default cannot become."""
KEPT = {"memory-values", "ingress-values", "gateway-values"}
"""Whose Service stays headless, or of both families, under the default."""
SELECTOR = ["Deployment: selector never changes"]
NAMED = "{fullnameOverride: demo-mpu-exporter}"
MEMORY = CHART / "ci" / "memory-values.yaml"  # its Service is headless
EVERYTHING = yaml.safe_load((CHART / "ci" / "everything-values.yaml").read_text())
OTHER_NAMES = {"nameOverride", "fullnameOverride", "namespaceOverride"}
IN_PLACE = json.dumps({key: value for key, value in EVERYTHING.items() if key not in OTHER_NAMES})
ON_DELETE = "{shards: 3, updateStrategy: {type: OnDelete}}"
GIVEN = "service: {clusterIP: 10.0.0.7}"  # by the cluster, as far as an object that is there tells

helms = pytest.mark.parametrize("server_side", [True, False], ids=["Helm 4", "Helm 3"])


@cache
def documents(values: str | Path) -> list[dict[str, Any]]:
    return render(values)


def upgrade(before: str | Path, after: str | Path, *, server_side: bool) -> tuple[list[str], list[str]]:
    """Return what is refused, and the kinds of objects that are not what an installation would make."""
    cluster, fresh = Cluster(server_side=server_side), Cluster(server_side=server_side)
    assert cluster.upgrade(documents(before)) == []
    assert fresh.upgrade(documents(after)) == []
    refused = cluster.upgrade(documents(after))
    return refused, [key[0] for key in fresh.objects if fresh.objects[key] != cluster.objects.get(key)]


@helms
@every_value_set
def test_the_default_becomes_any_other_and_is_had_back(values: Path, *, server_side: bool):
    there = upgrade("", values, server_side=server_side)
    back = upgrade(values, "", server_side=server_side)
    assert there == (REFUSED.get(values.stem, []), ["Service"] if values.stem in REFUSED else [])
    assert back == ([], ["Service"] if values.stem in KEPT else [])


@helms
@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        ("strategy: {type: RollingUpdate}", "", []),
        ("shards: 3", ON_DELETE, []),
        ("shards: 3", "{shards: 3, state: {persistence: {enabled: true}}}", CLAIMS),
        ("{shards: 3, state: {persistence: {enabled: true}}}", "shards: 3", CLAIMS),
        (
            "state: {persistence: {enabled: true, existingClaim: mine}}",
            "state: {persistence: {enabled: true}}",
            CLAIMS,
        ),
        ("", "state: {persistence: {enabled: true}}", []),
        ("state: {persistence: {enabled: true}}", "", []),
        ("service: {clusterIP: 10.0.0.80}", "service: {clusterIP: 10.0.0.81}", SERVICE),
        (NAMED, f"{{nameOverride: other, {NAMED[1:]}", SELECTOR),
        ("service: {clusterIP: 10.0.0.80}", IN_PLACE, []),
        (IN_PLACE, "service: {clusterIP: 10.0.0.80}", []),
        (ON_DELETE, "shards: 3", []),
    ],
)
def test_these_are_refused(before: str, after: str, refused: list[str], *, server_side: bool):
    assert upgrade(before, after, server_side=server_side)[0] == refused


@helms
def test_a_port_of_the_node_is_given_back(*, server_side: bool):
    assert upgrade("hostNetwork: true", "", server_side=server_side) == ([], [])


def test_nothing_else_is_refused_between_any_two():
    pairs = permutations([*VALUE_SETS, IN_PLACE], 2)
    found = {text for pair in pairs for text in upgrade(*pair, server_side=True)[0]}
    assert found == {*SERVICE, *CLAIMS, *FAMILIES}


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        (
            "strategy: {type: RollingUpdate}",
            "",
            ["Deployment: strategy has a rollingUpdate beside Recreate"],
        ),
        (
            "shards: 3",
            ON_DELETE,
            ["StatefulSet: updateStrategy has a rollingUpdate beside OnDelete"],
        ),
    ],
)
def test_what_helm_has_not_applied_it_does_not_take_back(before: str, after: str, refused: list[str]):
    """What an API server said of this chart while it left Kubernetes' defaults out."""
    installed = deepcopy(documents(before))
    for field in ("strategy", "updateStrategy"):
        find_workload(installed)["spec"].get(field, {}).pop("rollingUpdate", None)
    cluster = Cluster(server_side=True)
    assert cluster.upgrade(installed) == []
    assert cluster.upgrade(documents(after)) == refused


class TestChecks:
    """The chart looks at what is there, and says what to do before Kubernetes refuses it or keeps it."""

    @pytest.mark.parametrize(
        ("values", "before", "kind", "said"),
        [
            ("", MEMORY, "service", 'clusterIP is "", but the Service demo-mpu-exporter has "None"'),
            (
                "service: {clusterIP: None}",
                GIVEN,
                "service",
                'is "None", but the Service demo-mpu-exporter has',
            ),
            (
                "service: {ipFamilies: [IPv6]}",
                "service: {ipFamilies: [IPv4]}",
                "service",
                "service.ipFamilies begins with IPv6, but the Service demo-mpu-exporter has IPv4 first",
            ),
            ("service: {clusterIP: 10.0.0.8}", GIVEN, "service", 'demo-mpu-exporter has "10.0.0.7"'),
            (
                f"{{nameOverride: other, {NAMED[1:]}",
                NAMED,
                "deployment",
                "nameOverride would have the Deployment",
            ),
            (
                "shards: 3",
                "{shards: 3, state: {persistence: {enabled: true}}}",
                "statefulset",
                "no claims of its own, and the StatefulSet demo-mpu-exporter has some",
            ),
            (
                "state: {persistence: {enabled: true}}",
                "state: {persistence: {enabled: true, existingClaim: mine}}",
                "statefulset",
                "claims of its own, and the StatefulSet demo-mpu-exporter has none",
            ),
        ],
    )
    def test_what_never_changes_is_refused_with_the_way_out(
        self, values: str, before: str | Path, kind: str, said: str
    ):
        found = ask(values, before)
        assert said in found
        assert f"run `kubectl --namespace mon delete {kind} demo-mpu-exporter`, then helm upgrade" in found

    @pytest.mark.parametrize(
        ("values", "before"),
        [
            ("", GIVEN),
            ("service: {clusterIP: 10.0.0.7}", GIVEN),
            ("service: {clusterIP: None}", MEMORY),
            ("", "state: {persistence: {enabled: true}}"),
            ("shards: 3", "shards: 2"),
            ("state: {persistence: {enabled: true}}", "{shards: 2, state: {persistence: {enabled: true}}}"),
        ],
    )
    def test_anything_else_is_not(self, values: str, before: str | Path):
        assert "never changes" not in ask(values, before)


def ask(values: str, before: str | Path) -> str:
    """Return what Helm says of these values where the objects of others are; none gets there."""
    there = [d for d in documents(before) if d["kind"] in {"Service", "Deployment", "StatefulSet"}]
    with api_server(there) as server:
        config = helm.Config(kube_apiserver=server.url, namespace="mon", storage_driver="memory")
        with pytest.raises(helm.HelmError) as raised:
            config.install(str(CHART), "demo", helm.values_from_yaml(values), dry_run="server")
    return str(raised.value)

"""What a release's name becomes: names that Kubernetes takes, whatever Helm lets through."""

from __future__ import annotations

import re

import pytest
from charts import find_workload, render

SHARDED = "shards: 2"


def names(release: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for document in render(SHARDED, release=release):
        found.setdefault(document["kind"], []).append(document["metadata"]["name"])
    return found


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("demo", "demo-mpu-exporter"),
        ("mpu-exporter", "mpu-exporter"),
        ("eu.demo", "eu-demo-mpu-exporter"),
        (f"{'n' * 51}.x", "n" * 51),
        (f"{'n' * 50}--x", "n" * 50),
    ],
)
def test_a_release_names_its_objects(release: str, name: str):
    assert names(release)["StatefulSet"] == [name]
    assert sorted(names(release)["Service"]) == [name, f"{name}-pods"]


@pytest.mark.parametrize("release", ["n" * 53, f"{'n' * 26}.{'m' * 26}"])
def test_the_longest_names_are_names_of_services(release: str):
    assert [s for s in names(release)["Service"] if not re.fullmatch("[a-z][-a-z0-9]{0,61}[a-z0-9]", s)] == []


def test_labels_tell_the_release_as_helm_knows_it():
    labels = find_workload(render(release="eu.demo"))["spec"]["selector"]["matchLabels"]
    assert labels["app.kubernetes.io/instance"] == "eu.demo"

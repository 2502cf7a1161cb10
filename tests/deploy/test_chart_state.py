"""One pod or many, and where they keep what they have learned."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from charts import (
    CHART,
    container_of,
    find,
    find_config,
    find_service,
    find_workload,
    kinds,
    pod_of,
    render,
    render_notes,
    volume_of,
)

PERSISTENT = "state: {persistence: {enabled: true}}"
SHARDED = "shards: 3"


def state_path(values: str = "") -> Any:
    return yaml.safe_load(find_config(render(values)))["state"]["path"]


class TestOnePod:
    def test_is_a_deployments(self):
        spec = find("Deployment", render())["spec"]
        assert spec["strategy"] == {"type": "Recreate"}
        assert spec["replicas"] == 1
        assert kinds(render()) == {"ConfigMap", "Deployment", "Pod", "Service", "ServiceAccount"}

    def test_knows_of_no_shards(self):
        assert "shard" not in str(container_of())
        assert "env" not in container_of()

    def test_pauses(self):
        assert find("Deployment", render("replicas: 0"))["spec"]["replicas"] == 0
        assert "is paused" in render_notes("replicas: 0")

    def test_ends_in_time(self):
        assert pod_of()["spec"]["terminationGracePeriodSeconds"] == 30


class TestStrategy:
    """Kubernetes' defaults are written out: Helm takes back only what it has applied."""

    @pytest.mark.parametrize(
        ("strategy", "limits"),
        [
            ("{type: RollingUpdate}", {"maxSurge": "25%", "maxUnavailable": "25%"}),
            ("{type: RollingUpdate, rollingUpdate: null}", {"maxSurge": "25%", "maxUnavailable": "25%"}),
            (
                "{type: RollingUpdate, rollingUpdate: {maxUnavailable: 0}}",
                {"maxSurge": "25%", "maxUnavailable": 0},
            ),
        ],
    )
    def test_of_a_deployment_has_both_limits(self, strategy: str, limits: dict[str, object]):
        spec = find("Deployment", render(f"strategy: {strategy}"))["spec"]
        assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": limits}

    def test_of_a_stateful_set_has_its_partition(self):
        spec = find("StatefulSet", render("{shards: 2, updateStrategy: {type: OnDelete}}"))["spec"]
        assert spec["updateStrategy"] == {"type": "OnDelete"}
        spec = find("StatefulSet", render("{shards: 2, updateStrategy: null}"))["spec"]
        assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


class TestShards:
    def test_are_as_many_pods_that_start_and_end_at_once(self):
        spec = find("StatefulSet", render(SHARDED))["spec"]
        assert spec["replicas"] == 3
        assert spec["podManagementPolicy"] == "Parallel"
        assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
        assert "Deployment" not in kinds(render(SHARDED))

    def test_know_how_many_they_are_and_which(self):
        container = container_of(SHARDED)
        assert "--shard.total=3" in container["args"]
        assert container["env"] == [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
        ]

    def test_pause_without_becoming_fewer(self):
        values = "{shards: 3, replicas: 0}"
        assert find("StatefulSet", render(values))["spec"]["replicas"] == 0
        assert "--shard.total=3" in container_of(values)["args"]

    def test_have_names_by_a_headless_service(self):
        documents = render(SHARDED)
        workload = find("StatefulSet", documents)["spec"]
        (named,) = [d for d in documents if d["metadata"]["name"] == workload["serviceName"]]
        assert named["spec"]["clusterIP"] == "None"
        assert named["spec"]["selector"] == workload["selector"]["matchLabels"]

    def test_a_long_name_leaves_room_for_what_kubernetes_adds(self):
        """A StatefulSet's pods carry its name, a dash and 10 characters in a label of 63 at most."""
        documents = render(f"{{shards: 2, fullnameOverride: {'n' * 70}}}")
        assert len(find_workload(documents)["metadata"]["name"]) == 52

    def test_notes_lead_to_each_pod(self):
        notes = render_notes(SHARDED)
        assert "in 3 shards" in notes
        assert "from demo-mpu-exporter-0 to demo-mpu-exporter-2" in notes
        assert "every pod behind http://demo-mpu-exporter-pods.mon.svc:19340/metrics" in notes


class TestState:
    @pytest.mark.parametrize("values", ["", SHARDED])
    def test_goes_with_its_pod_by_default(self, values: str):
        assert volume_of(values, "state") == {"name": "state", "emptyDir": {}}
        assert {"name": "state", "mountPath": "/var/lib/mpu-exporter"} in container_of(values)["volumeMounts"]
        assert state_path(values) == "/var/lib/mpu-exporter/state.db"

    def test_can_be_bounded(self):
        values = "state: {sizeLimit: 100Mi}"
        assert volume_of(values, "state")["emptyDir"] == {"sizeLimit": "100Mi"}

    def test_config_and_mount_move_together(self):
        assert state_path("state: {mountPath: /data/}") == "/data/state.db"
        assert state_path("{state: {mountPath: /data}, config: {state: {path: /data/x}}}") == "/data/x"

    def test_can_be_in_memory_only(self):
        values = "state: {enabled: false}"
        assert "state" not in yaml.safe_load(find_config(render(values)))
        assert "state" not in [mount["name"] for mount in container_of(values)["volumeMounts"]]

    def test_other_volumes_can_be_used(self):
        values = "{state: {enabled: false}, config: {state: {path: /mine/x}}}"
        assert state_path(values) == "/mine/x"

    def test_a_config_of_someone_elses_is_told_the_path(self):
        notes = render_notes("existingConfigMap: mine")
        assert "state: {path: /var/lib/mpu-exporter/state.db}" in notes
        assert "/var/lib" not in render_notes("{existingConfigMap: mine, state: {enabled: false}}")


class TestPersistence:
    def test_gives_one_pod_a_claim_that_outlives_it(self):
        spec = find("StatefulSet", render(PERSISTENT))["spec"]
        (claim,) = spec["volumeClaimTemplates"]
        assert claim["spec"] == {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        }
        assert spec["replicas"] == 1
        assert "persistentVolumeClaimRetentionPolicy" not in spec
        assert "--shard.total" not in str(container_of(PERSISTENT))

    def test_claims_can_be_told_apart_from_the_default(self):
        spec = find("StatefulSet", render(CHART / "ci" / "sharded-persistent-values.yaml"))["spec"]
        (claim,) = spec["volumeClaimTemplates"]
        assert claim["metadata"]["annotations"] == {"example.com/backup": "false"}
        assert claim["spec"] == {
            "accessModes": ["ReadWriteOncePod"],
            "storageClassName": "fast",
            "resources": {"requests": {"storage": "200Mi"}},
        }
        assert spec["persistentVolumeClaimRetentionPolicy"] == {
            "whenDeleted": "Delete",
            "whenScaled": "Retain",
        }

    def test_a_class_of_none_is_said(self):
        values = "state: {persistence: {enabled: true, storageClass: '-'}}"
        (claim,) = find("StatefulSet", render(values))["spec"]["volumeClaimTemplates"]
        assert claim["spec"]["storageClassName"] == ""

    def test_nothing_that_changes_with_a_release_is_in_a_claim(self):
        """Kubernetes refuses a StatefulSet whose claims have changed."""
        values = "{commonLabels: {a: b}, commonAnnotations: {c: d}, state: {persistence: {enabled: true}}}"
        claims = [
            find("StatefulSet", render(v))["spec"]["volumeClaimTemplates"] for v in (values, PERSISTENT)
        ]
        assert claims[0] == claims[1]
        assert "0.1.0" not in str(claims)

    def test_a_claim_can_be_someone_elses(self):
        values = "state: {persistence: {enabled: true, existingClaim: mine}}"
        assert volume_of(values, "state")["persistentVolumeClaim"] == {"claimName": "mine"}
        assert "volumeClaimTemplates" not in find("StatefulSet", render(values))["spec"]

    def test_the_service_of_one_pod_stays(self):
        assert find_service(render(PERSISTENT))["spec"] == find_service(render())["spec"]

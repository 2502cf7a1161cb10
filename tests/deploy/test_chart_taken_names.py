"""Names, places and labels that values and the chart may not share are refused by a sentence."""

from __future__ import annotations

import helm_python as helm
import pytest
from charts import render

SPREAD = "{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}"
ITEM = "items: [{key: a, path: b/c}]"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("{shards: 2, extraEnv: [{name: POD_NAME, value: a}]}", "extraEnv: POD_NAME is taken"),
        ("extraEnv: [{name: A, value: a}, {name: A, value: b}]", "extraEnv: A is taken"),
        ("extraVolumes: [{name: config, emptyDir: {}}]", "extraVolumes: config is taken"),
        ("extraVolumes: [{name: state, emptyDir: {}}]", "extraVolumes: state is taken"),
        (
            "{state: {persistence: {enabled: true}}, extraVolumes: [{name: state, emptyDir: {}}]}",
            "extraVolumes: state is taken",
        ),
        (
            "{credentialSecrets: [{name: a}], extraVolumes: [{name: credentials, emptyDir: {}}]}",
            "extraVolumes: credentials is taken",
        ),
        (
            "{web: {existingConfigSecret: a}, extraVolumes: [{name: web, emptyDir: {}}]}",
            "extraVolumes: web is taken",
        ),
        (
            "extraVolumeMounts: [{name: a, mountPath: /etc/mpu-exporter/}]",
            "extraVolumeMounts or state.mountPath: /etc/mpu-exporter is taken",
        ),
        (
            "extraVolumeMounts: [{name: a, mountPath: /var/lib/mpu-exporter}]",
            "/var/lib/mpu-exporter is taken",
        ),
        ("state: {mountPath: /etc/mpu-exporter}", "/etc/mpu-exporter is taken"),
        (
            "extraVolumeMounts: [{name: a, mountPath: /etc/mpu-exporter/config.yaml, subPath: b}]",
            "/etc/mpu-exporter/config.yaml is taken",
        ),
        (
            "extraContainers: [{name: exporter, image: a}]",
            "extraContainers or initContainers: exporter is taken",
        ),
        (
            "initContainers: [{name: exporter, image: a}]",
            "extraContainers or initContainers: exporter is taken",
        ),
        (
            "{initContainers: [{name: a, image: a}], extraContainers: [{name: a, image: a}]}",
            "extraContainers or initContainers: a is taken",
        ),
        (
            "extraContainers: [{name: a, image: a, ports: [{name: http, containerPort: 80}]}]",
            "a has a port that is named http or is 19340, as the exporter's",
        ),
        (
            "extraContainers: [{name: a, image: a, ports: [{containerPort: 19340}]}]",
            "a has a port that is named http or is 19340, as the exporter's",
        ),
        (
            "hostAliases: [{ip: 10.0.0.1, hostnames: [a]}, {ip: 10.0.0.1, hostnames: [b]}]",
            "hostAliases: 10.0.0.1 is taken",
        ),
        (
            f"topologySpreadConstraints: [{SPREAD}, {SPREAD}]",
            "topologySpreadConstraints: zone with DoNotSchedule is taken",
        ),
        (
            f"credentialSecrets: [{{name: a, {ITEM}}}, {{name: b, {ITEM}}}]",
            "credentialSecrets: b/c is taken",
        ),
        ("credentialSecrets: [{name: a}, {name: a}]", "credentialSecrets: all of a is taken"),
        (
            "podLabels: {app.kubernetes.io/component: a}",
            "podLabels: the label app.kubernetes.io/component is the chart's own and is exporter",
        ),
        ("commonLabels: {helm.sh/chart: a}", "commonLabels: the label helm.sh/chart is the chart's own"),
        (
            "service: {labels: {app.kubernetes.io/name: a}}",
            "service.labels: the label app.kubernetes.io/name",
        ),
    ],
)
def test_is_refused_by_a_sentence(values: str, message: str):
    with pytest.raises(helm.HelmRenderError, match=message):
        render(values)


@pytest.mark.parametrize(
    "values",
    [
        "extraEnv: [{name: POD_NAME, value: a}]",
        "{state: {enabled: false}, extraVolumes: [{name: state, emptyDir: {}}]}",
        "extraVolumeMounts: [{name: a, mountPath: /etc/mpu-exporter/ca}]",
        "extraVolumeMounts: [{name: a, mountPath: /var/lib/mpu-exporter/deeper}]",
        "podLabels: {app.kubernetes.io/version: '2'}",
        "commonLabels: {app.kubernetes.io/managed-by: Helm}",
    ],
)
def test_what_collides_with_nothing_is_not(values: str):
    assert render(values)

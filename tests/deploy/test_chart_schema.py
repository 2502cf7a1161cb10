"""values.schema.json: closed, and yet usable as a subchart; and what no schema can say."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import helm_python as helm
import pytest
import yaml
from charts import CHART, find, pod_of, render

from exporter import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def differences(schema: dict, defaults: dict, place: str) -> Iterator[str]:
    """Yield the places where what a closed section declares is not what values.yaml has, if anything."""
    optional = {"/resources", "/strategy", "/updateStrategy", "/verticalPodAutoscaler/updatePolicy"}
    if schema.get("additionalProperties") is False and defaults and place not in optional:
        yield from (f"{place}/{key}" for key in set(schema["properties"]) ^ set(defaults))
    for key, section in schema.get("properties", {}).items():
        if isinstance(defaults.get(key), dict):
            yield from differences(section, defaults[key], f"{place}/{key}")


def old_names(schema: dict, place: str = "") -> Iterator[tuple[str, str, dict]]:
    """Yield where a name of another chart's is refused: the place, the names, and the answer."""
    for names, answer in schema.get("patternProperties", {}).items():
        yield place, names, answer
    for key, section in schema.get("properties", {}).items():
        yield from old_names(section, f"{place}{key}.")


class TestOldNames:
    """Values that other charts have by another name are answered by the name that they have here."""

    @pytest.mark.parametrize(
        ("values", "answer"),
        [
            (
                "replicaCount: 2",
                "'/replicaCount': value must be 'left out: here it is shards; replicas: 0 pauses'",
            ),
            (
                "imagePullSecrets: []",
                "'/imagePullSecrets': value must be 'left out: here it is image.pullSecrets'",
            ),
            ("env: [{name: A, value: b}]", "'/env': value must be 'left out: here it is extraEnv'"),
            ("secretConfig: true", "'/secretConfig': value must be 'left out: here it is configAsSecret'"),
            (
                "serviceMonitor: {additionalLabels: {release: a}}",
                "/additionalLabels': value must be 'left out: here it is serviceMonitor.labels'",
            ),
        ],
    )
    def test_are_refused_with_the_right_one(self, values: str, answer: str):
        with pytest.raises(helm.HelmValuesError) as refused:
            render(values)
        assert answer in str(refused.value)

    def test_the_right_ones_exist(self):
        schema = json.loads((CHART / "values.schema.json").read_text())
        defaults = yaml.safe_load((CHART / "values.yaml").read_text())
        for _, names, answer in old_names(schema):
            _, _, sentence = answer["const"].partition("left out: here it is ")
            named = re.findall(r"\b(?:[a-z]+[A-Z.]\w*(?:\.\w+)*|shards|replicas)\b", sentence)
            assert named, names
            for name in named:
                section = defaults
                for key in name.split("."):
                    section = section[key]

    def test_are_no_values_of_this_chart(self):
        schema = json.loads((CHART / "values.schema.json").read_text())
        defaults = yaml.safe_load((CHART / "values.yaml").read_text())
        for place, names, _ in old_names(schema):
            section = defaults
            for key in filter(None, place.split(".")):
                section = section[key]
            assert [key for key in section if re.search(names, key)] == []


class TestSchema:
    @pytest.mark.parametrize(
        ("values", "key"),
        [
            ("replica: 1", "replica"),
            ("image: {pulPolicy: Always}", "pulPolicy"),
            ("serviceMonitor: {enable: true}", "enable"),
            ("service: {ports: 80}", "ports"),
            ("serviceAccount: {annotation: {}}", "annotation"),
            ("log: {levels: info}", "levels"),
            ("credentialSecrets: [{secret: a}]", "secret"),
            ("state: {persistence: {storageClassName: a}}", "storageClassName"),
            ("state: {persistence: {retentionPolicy: {whenRemoved: Delete}}}", "whenRemoved"),
            ("web: {tls: {secretName: a}}", "secretName"),
            ("networkPolicy: {egress: {port: [443]}}", "port"),
            ("podMonitor: {targetLabels: [a]}", "targetLabels"),
            ("resources: {limit: {memory: 1Gi}}", "limit"),
            ("extraEnv: [{name: A, valueForm: {}}]", "valueForm"),
            ("extraEnvFrom: [{secret: {name: a}}]", "secret"),
            ("hostAliases: [{ip: 10.0.0.1, hostnames: [], host: a}]", "host"),
            ("tolerations: [{keys: a}]", "keys"),
            ("networkPolicy: {from: [{namespaceSelector: {matchLabel: {}}}]}", "matchLabel"),
            ("serviceMonitor: {relabelings: [{sourceLabel: [a]}]}", "sourceLabel"),
            ("serviceMonitor: {tlsConfig: {caSecret: {}}}", "caSecret"),
            ("serviceMonitor: {basicAuth: {user: {name: a, key: b}}}", "user"),
            ("podMonitor: {tlsConfig: {caFile: a}}", "caFile"),
            ("podMonitor: {oauth2: {tokenURL: a}}", "tokenURL"),
            ("lifecycle: {prestop: {}}", "prestop"),
            ("ingress: {hosts: [{host: a, path: /}]}", "path"),
            ("httpRoute: {parentRefs: [{name: a, section: b}]}", "section"),
            ("strategy: {rollingUpdate: {maxSurges: 1}}", "maxSurges"),
            ("updateStrategy: {partition: 1}", "partition"),
        ],
    )
    def test_a_typo_is_refused_by_name(self, values: str, key: str):
        with pytest.raises(helm.HelmValuesError, match=f"additional properties '{key}' not allowed"):
            render(values)

    @pytest.mark.parametrize(
        ("values", "place"),
        [
            ("replicas: two", "/replicas"),
            ("shards: 0", "/shards"),
            ("shards: 1001", "/shards"),
            ("extraEnv: [{name: A, value: 1}]", "/extraEnv/0/value"),
            ("resources: {requests: {memory: 1 GiB}}", "/resources/requests/memory"),
            ("serviceMonitor: {basicAuth: {username: {name: a}}}", "/serviceMonitor/basicAuth/username"),
            ("networkPolicy: {from: [{}]}", "/networkPolicy/from/0"),
            ("reload: true", "/reload"),
            ("state: {mountPath: data}", "/state/mountPath"),
            ("state: {persistence: {size: 1 GiB}}", "/state/persistence/size"),
            ("state: {persistence: {accessModes: [RWO]}}", "/state/persistence/accessModes/0"),
            ("podDisruptionBudget: {maxUnavailable: 0}", "/podDisruptionBudget/maxUnavailable"),
            ("networkPolicy: {egress: {ports: [https]}}", "/networkPolicy/egress/ports/0"),
            ("dnsPolicy: clusterFirst", "/dnsPolicy"),
            ("hostUsers: 'false'", "/hostUsers"),
            ("service: {ipFamilies: [IPv4, IPv4]}", "/service/ipFamilies"),
            ("service: {ipFamilyPolicy: DualStack}", "/service/ipFamilyPolicy"),
            ("service: {loadBalancerSourceRanges: [10.0.0.0]}", "/service/loadBalancerSourceRanges/0"),
            ("service: {externalTrafficPolicy: local}", "/service/externalTrafficPolicy"),
            ("podMonitoring: {interval: ''}", "/podMonitoring/interval"),
            (
                "podMonitoring: {targetLabels: {metadata: [namespace]}}",
                "/podMonitoring/targetLabels/metadata/0",
            ),
            (
                "verticalPodAutoscaler: {updatePolicy: {updateMode: Off}}",
                "/verticalPodAutoscaler/updatePolicy/updateMode",
            ),
            ("ingress: {hosts: [{paths: [{pathType: prefix}]}]}", "/ingress/hosts/0/paths/0/pathType"),
            (
                "podSecurityContext: {supplementalGroupsPolicy: strict}",
                "/podSecurityContext/supplementalGroupsPolicy",
            ),
            ("podMonitor: {scheme: HTTPS}", "/podMonitor/scheme"),
            ("podMonitor: {proxyUrl: 'proxy:3128'}", "/podMonitor/proxyUrl"),
            ("podMonitor: {scrapeProtocols: [OpenMetrics]}", "/podMonitor/scrapeProtocols/0"),
            ("serviceMonitor: {oauth2: {tokenUrl: a}}", "/serviceMonitor/oauth2"),
            ("serviceMonitor: {honorTimestamps: 'no'}", "/serviceMonitor/honorTimestamps"),
            ("podMonitor: {scrapeTimeout: 10}", "/podMonitor/scrapeTimeout"),
            ("image: {digest: latest}", "/image/digest"),
            ("image: {registry: 'https://r.example.com'}", "/image/registry"),
            ("image: {registry: r.example.com/}", "/image/registry"),
            ("image: {repository: 'tools/mpu-exporter:1.0'}", "/image/repository"),
            ("alerts: {ignoredLabels: []}", "/alerts/ignoredLabels"),
            ("alerts: {rules: {MpuThrottled: {window: ''}}}", "/alerts/rules/MpuThrottled/window"),
            ("image: {pullPolicy: Sometimes}", "/image/pullPolicy"),
            ("serviceMonitor: {interval: 5 minutes}", "/serviceMonitor/interval"),
            ("service: {port: 0}", "/service/port"),
            ("log: {format: xml}", "/log/format"),
            ("podAnnotations: {a: 1}", "/podAnnotations/a"),
            ("config: {targets: []}", "/config/targets"),
            ("alerts: {rules: {MpuScanSlow: {threshold: null}}}", "/alerts/rules/MpuScanSlow"),
            ("alerts: {rules: {MpuThrottled: {window: null}}}", "/alerts/rules/MpuThrottled"),
            ("alerts: {additionalLabels: {app.kubernetes.io/name: a}}", "/alerts/additionalLabels"),
            ("alerts: {additionalAnnotations: {a-b: c}}", "/alerts/additionalAnnotations"),
            ("alerts: {ignoredLabels: null}", "/alerts"),
        ],
    )
    def test_a_wrong_value_is_refused_by_place(self, values: str, place: str):
        with pytest.raises(helm.HelmValuesError, match=f"at '{place}'"):
            render(values)

    def test_every_default_is_declared(self):
        """Closed sections of the schema and values.yaml have the same keys, however deep."""
        defaults = yaml.safe_load((CHART / "values.yaml").read_text()) | {"enabled": True}
        schema = json.loads((CHART / "values.schema.json").read_text())
        assert set(differences(schema, defaults, "")) == set()

    @pytest.mark.parametrize(
        "name",
        [n for n, v in yaml.safe_load((CHART / "values.yaml").read_text()).items() if v in ({}, [], "")],
    )
    def test_null_is_as_good_as_empty(self, name: str):
        assert pod_of(f"{name}: null") == pod_of()


class TestCombinations:
    """What single values cannot say is refused by the templates."""

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ("replicas: 2", "replicas is 2 and shards is 1: a pod beyond the shards"),
            ("config: null", "config.targets is empty"),
            ("config: {targets: null}", "config.targets is empty"),
            ("fullnameOverride: 2nd", "2nd is no name for a Service: set fullnameOverride"),
            ("fullnameOverride: Uploads", "Uploads is no name for a Service"),
            ("{shards: 3, replicas: 2}", "replicas is 2 and shards is 3"),
            (
                "{existingConfigMap: a, existingConfigSecret: b}",
                "existingConfigMap and existingConfigSecret are both set",
            ),
            (
                "{shards: 2, state: {persistence: {enabled: true, existingClaim: a}}}",
                "existingClaim is one volume, but each of several shards needs its own",
            ),
            ("state: {enabled: false, persistence: {enabled: true}}", "there is nothing to keep"),
            (
                "strategy: {rollingUpdate: {maxSurge: 1}}",
                "strategy.type is Recreate, which Kubernetes refuses",
            ),
            (
                "updateStrategy: {type: OnDelete, rollingUpdate: {partition: 1}}",
                "updateStrategy.type is OnDelete, which Kubernetes refuses",
            ),
            (
                "config: {state: {path: /data/x.db}}",
                "config.state.path is /data/x.db, but the state's volume is mounted at /var/lib/mpu-exporter",
            ),
            ("{hostNetwork: true, hostUsers: false}", "which Kubernetes refuses: a user namespace goes with"),
            ("{hostNetwork: true, networkPolicy: {enabled: true}}", "no policy applies to the pods of host"),
            ("web: {tls: {enabled: true}}", "name a Secret with tls.crt and tls.key in web.tls.secret"),
            ("{serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}", "scraped twice"),
            (
                (
                    "podMonitor: {enabled: true, authorization: {type: Bearer},"
                    " basicAuth: {password: {name: a, key: b}}}"
                ),
                "podMonitor has basicAuth and authorization: the operator refuses",
            ),
            (
                "{web: {tls: {enabled: true, secret: a, clientAuth: true}}, serviceMonitor: {enabled: true}}",
                "serviceMonitor.tlsConfig has to name a certificate",
            ),
            (
                "{web: {tls: {enabled: true, secret: a}}, podMonitor: {enabled: true, namespace: other}}",
                "podMonitor.namespace is other, where the operator cannot read a Secret",
            ),
        ],
    )
    def test_that_do_not_fit_are_refused(self, values: str, message: str):
        with pytest.raises(helm.HelmRenderError, match=message):
            render(values)


class TestSubchart:
    @pytest.fixture
    def parent(self, tmp_path: Path) -> Path:
        (tmp_path / "charts").mkdir()
        (tmp_path / "charts" / "mpu-exporter").symlink_to(CHART)
        (tmp_path / "Chart.yaml").write_text(
            "{apiVersion: v2, name: parent, version: 1.0.0, dependencies: "
            "[{name: mpu-exporter, version: 0.1.0, condition: mpu-exporter.enabled}]}"
        )
        return tmp_path

    def test_takes_a_parents_globals_and_condition_key(self, parent: Path):
        values = "{global: {imageRegistry: mirror.example.com, region: eu}, mpu-exporter: {enabled: true}}"
        (container,) = find("Deployment", render(values, parent))["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"mirror.example.com/mpu-exporter:{__version__}"

    def test_has_its_files_there_too(self, parent: Path):
        (container,) = find("Pod", render("{}", parent))["spec"]["containers"]
        assert "main(*sys.argv[1:])" in container["command"][2]

    def test_is_left_out_by_its_condition_key(self, parent: Path):
        assert render("{mpu-exporter: {enabled: false}}", parent) == []

    def test_still_refuses_a_typo(self, parent: Path):
        with pytest.raises(helm.HelmValuesError, match="additional properties 'imag' not allowed"):
            render("{mpu-exporter: {imag: {}}}", parent)

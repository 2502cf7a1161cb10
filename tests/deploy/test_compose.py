"""compose.yaml and the files it mounts: they exist, fit together, and promtool accepts its part."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from docs.documents import GUIDE, files
from servers import need, wait_until
from servers.alerting import routing

from exporter.cli import main as cli

if TYPE_CHECKING:
    from servers.alerting import Inbox

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()

every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


def mounts(service: str) -> dict[str, Path]:
    """Return the files and folders of this project in a container, by where they are there."""
    triples = [text.split(":") for text in SERVICES[service]["volumes"] if text.startswith("./")]
    assert {rest for _, _, *rest in triples for rest in rest} == {"ro"}
    return {there: ROOT / here for here, there, _ in triples}


def mounted(service: str, path: str) -> Any:
    return yaml.safe_load(mounts(service)[path].read_text())


def grafana(kind: str) -> Any:
    return mounted("grafana", f"/etc/grafana/provisioning/{kind}/mpu-exporter.yml")


@every_service
def test_no_service_may_more_than_it_needs(service: dict[str, Any]):
    rights = {key: service.get(key) for key in ("read_only", "cap_drop", "security_opt", "privileged")}
    expected = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
    assert {**expected, "privileged": None} == rights


@every_service
def test_only_this_machine_reaches_the_ports(service: dict[str, Any]):
    (port,) = service["ports"]
    address, outside, inside = port.split(":")
    assert (address, outside) == ("127.0.0.1", inside)


OTHERS = ["prometheus", "alertmanager", "grafana"]


@pytest.mark.parametrize("service", OTHERS)
def test_images_of_others_are_of_one_version_and_can_be_chosen(service: str):
    image = SERVICES[service]["image"]
    assert re.fullmatch(rf"\$\{{{service.upper()}_IMAGE:-docker\.io/\w+/{service}:v?\d+\.\d+\.\d+\}}", image)


@pytest.mark.parametrize("service", OTHERS)
def test_all_that_is_mounted_is_there(service: str):
    assert [path for path in mounts(service).values() if not path.exists()] == []


def test_named_volumes_are_declared():
    named = {
        text.split(":")[0]
        for service in SERVICES.values()
        for text in service.get("volumes", [])
        if not text.startswith("./")
    }
    assert named == COMPOSE["volumes"].keys()


def test_the_exporter_is_built_with_the_extra_that_its_command_needs():
    exporter = SERVICES["exporter"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (extra,) = exporter["build"]["args"].values()
    assert (extra in extras, f'ARG {"".join(exporter["build"]["args"])}=""\n' in DOCKERFILE) == (True, True)
    options = cli.parser().parse_args(exporter["command"])
    assert options.listen == (f":{exporter['ports'][0].split(':')[-1]}",)


def test_the_override_of_the_guide_serves_the_config_that_it_mounts():
    (override,) = [yaml.safe_load(text) for text in files(GUIDE["docker"], "compose.override.yaml")]
    exporter = override["services"]["exporter"]
    (mount,) = exporter["volumes"]
    options = cli.parser().parse_args(exporter["command"])
    assert mount == f"./config.yaml:{options.config_file}:ro"


def test_prometheus_accepts_its_config_with_the_rules(tmp_path: Path):
    need("promtool")
    for there, here in mounts("prometheus").items():
        shutil.copy(here, tmp_path / Path(there).name)
    command = ["promtool", "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"SUCCESS: [1-9]\d* rules found", done.stdout)


def test_prometheus_scrapes_the_exporter_where_it_listens():
    (job,) = mounted("prometheus", "/etc/prometheus/prometheus.yml")["scrape_configs"]
    (port,) = re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)
    assert job["static_configs"] == [{"targets": [f"exporter:{port}"]}]


def test_prometheus_tells_the_alertmanager_beside_it():
    (alertmanager,) = mounted("prometheus", "/etc/prometheus/prometheus.yml")["alerting"]["alertmanagers"]
    inside = SERVICES["alertmanager"]["ports"][0].split(":")[-1]
    assert alertmanager["static_configs"] == [{"targets": [f"alertmanager:{inside}"]}]


def test_each_waits_until_what_it_needs_is_healthy_and_that_can_be_asked():
    needed = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
    assert {name: [*services] for name, services in needed.items()} == {
        "exporter": [],
        "prometheus": ["exporter", "alertmanager"],
        "alertmanager": [],
        "grafana": ["prometheus"],
    }
    assert all(each == {"condition": "service_healthy"} for one in needed.values() for each in one.values())
    asked = {name for name, service in SERVICES.items() if "healthcheck" in service}
    assert {other for services in needed.values() for other in services} == {"exporter", *asked}
    assert "\nHEALTHCHECK " in DOCKERFILE
    for name in asked:
        port = SERVICES[name]["ports"][0].split(":")[-1]
        assert f"http://127.0.0.1:{port}" in " ".join(SERVICES[name]["healthcheck"]["test"])


def test_keys_of_the_environment_reach_the_exporter_and_no_value_is_written():
    passed = SERVICES["exporter"]["environment"]
    assert {"AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AZURE_CLIENT_ID", "OBS_ACCESS_KEY_ID"} < set(passed)
    assert all(re.fullmatch(r"[A-Z_]+", name) for name in passed)


ROUTES = mounts("alertmanager")["/etc/alertmanager/alertmanager.yml"]


@pytest.mark.parametrize(
    ("severity", "receiver"),
    [("critical", "page"), ("warning", "ticket"), ("info", "nobody"), ("", "ticket")],
)
def test_who_is_told_is_chosen_by_severity(severity: str, receiver: str):
    need("amtool")
    command = ["amtool", "config", "routes", "test", f"--config.file={ROUTES}", f"severity={severity}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, f"{receiver}\n"), done.stderr


def test_every_severity_of_the_rules_has_a_route_and_alertmanager_accepts_them():
    need("amtool")
    rules = mounted("prometheus", "/etc/prometheus/mpu-rules.yml")["groups"][0]["rules"]
    assert {rule["labels"]["severity"] for rule in rules} == {"critical", "warning", "info"}
    command = ["amtool", "check-config", str(ROUTES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " - 2 inhibit rules\n - 3 receivers\n" in done.stdout
    named = re.findall(r"Mpu\w+", ROUTES.read_text(encoding="utf-8"))
    assert set(named) <= {rule["alert"] for rule in rules}


def fired(name: str, severity: str, **labels: str) -> dict[str, Any]:
    where = {"target": "prod", "job": "mpu-exporter"}
    return {"labels": {"alertname": name, "severity": severity, **where, **labels}, "annotations": {}}


def test_of_alerts_that_say_the_same_alertmanager_tells_the_one_to_act_on():
    alerts = [
        fired("MpuStaleBytesCritical", "critical", bucket="media"),
        fired("MpuStaleBytesHigh", "warning", bucket="media"),
        fired("MpuStaleUploads", "warning", bucket="media"),
        fired("MpuStaleBytesHigh", "warning", bucket="logs"),
        fired("MpuStaleUploads", "warning", bucket="logs"),
        fired("MpuStaleUploads", "warning", bucket="tmp"),
        fired("MpuTargetFailing", "warning", reason="timeout"),
        fired("MpuDataTooOld", "warning", bucket="media"),
        fired("MpuThrottled", "info"),
    ]
    with routing(yaml.safe_load(ROUTES.read_text(encoding="utf-8"))) as (address, inbox):
        request = urllib.request.Request(
            f"http://{address}/api/v2/alerts",
            json.dumps(alerts).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()
        for receiver in ("page", "ticket", "nobody"):
            wait_until(receiver, lambda name=receiver: any(told(inbox, name)), seconds=30)
        assert {name: told(inbox, name) for name in ("page", "ticket", "nobody")} == {
            "page": {("MpuStaleBytesCritical", "media")},
            "ticket": {
                ("MpuStaleBytesHigh", "logs"),
                ("MpuStaleUploads", "tmp"),
                ("MpuTargetFailing", ""),  # of other buckets, maybe
                ("MpuDataTooOld", "media"),
            },
            "nobody": {("MpuThrottled", "")},
        }


def told(inbox: Inbox, receiver: str) -> set[tuple[str, str]]:
    notices = [notice for notice in list(inbox.notices) if notice.labels["receiver"] == receiver]
    return {(notice.name, notice.labels.get("bucket", "")) for notice in notices}


def test_grafana_asks_the_prometheus_beside_it_by_the_uid_that_the_alerts_name():
    (source,) = grafana("datasources")["datasources"]
    rules = [rule for group in grafana("alerting")["groups"] for rule in group["rules"]]
    named = {query["datasourceUid"] for rule in rules for query in rule["data"]}
    assert named == {source["uid"], "__expr__"}
    assert source["url"] == f"http://prometheus:{SERVICES['prometheus']['ports'][0].split(':')[-1]}"
    assert (source["type"], source["isDefault"]) == ("prometheus", True)


def test_grafana_leaves_the_plugins_of_its_read_only_root_as_they_are():
    """As https://github.com/grafana/grafana/issues/127760 has it: else Prometheus may be gone as a source."""
    grafana = SERVICES["grafana"]
    assert grafana["read_only"]
    assert grafana["environment"]["GF_PLUGINS_PREINSTALL_AUTO_UPDATE"] == "false"


def test_grafana_opens_with_one_of_the_dashboards_it_is_given():
    (provider,) = grafana("dashboards")["providers"]
    folder = mounts("grafana")[provider["options"]["path"]]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).parent == Path(provider["options"]["path"])
    assert json.loads((folder / Path(home).name).read_text())["uid"] == "mpu-overview"

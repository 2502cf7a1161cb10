"""Every command of the runbooks is one that its program understands."""

from __future__ import annotations

import json
import re
import subprocess
from types import SimpleNamespace

import botocore.session
import helm_python as helm
import pytest
from alert_cases import CASES
from botocore import xform_name
from botocore.validate import ParamValidator
from charts import CHART
from docs.documents import GUIDE, ROOT, blocks, commands, prose
from rules import NAMES
from runbooks import DOCUMENTS, PAGES
from servers import free_port, need

from exporter.cli import main as cli
from exporter.stores.parsing.abort_rule import DAY_SECONDS
from exporter.stores.parsing.lifecycle import read_rules

SOURCES = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "exporter").rglob("*.py"))
SESSION = botocore.session.get_session()
LABELS = {case.alert: {*case.labels, "alertname"} for case in CASES}


def called(program: str) -> list[list[str]]:
    return [words for text in DOCUMENTS.values() for words in commands(text, program)]


@pytest.mark.parametrize("words", [words for words in called("mpu-exporter") if words], ids=" ".join)
def test_the_exporter_understands_its_own(words: list[str]):
    assert cli.parser().parse_args(words).command == words[0]


def test_commands_in_the_container_name_its_config():
    for text in DOCUMENTS.values():
        for line in re.findall(r"exec [^\n]* -- \\\n *(mpu-exporter .*)", text):
            assert "--config.file=/etc/mpu-exporter/config.yaml" in line


def test_kubernetes_names_are_those_of_the_chart_as_the_readme_installs_it():
    with helm.Chart.load(CHART) as loaded:
        rendered = loaded.render({}, name="mpu", namespace="monitoring")
    assert "kind: Deployment\nmetadata:\n  name: mpu-mpu-exporter\n" in "".join(rendered.values())
    for text in DOCUMENTS.values():
        named = set(re.findall(r"(?:deployment|statefulset|pod)[/ ]([\w-]+)", "".join(blocks(text, "sh"))))
        assert {re.sub(r"-\d$", "", name) for name in named} <= {"mpu-mpu-exporter"}


@pytest.mark.parametrize("words", called("aws"), ids=" ".join)
def test_the_aws_cli_has_the_command_and_its_flags(words: list[str]):
    service, command, *flags = words
    model = SESSION.get_service_model({"s3api": "s3"}.get(service, service))
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    members = model.operation_model(operations[command]).input_shape
    known = {xform_name(member, "-") for member in members.members} | {"endpoint-url", "query", "max-items"}
    given = {flag.removeprefix("--").partition("=")[0] for flag in flags}
    assert given <= known
    assert {xform_name(name, "-") for name in members.required_members} <= given


def test_the_rule_for_s3_is_one_that_aborts_everything_after_a_week():
    [rules] = blocks(PAGES["MpuNoAbortRule"], "json")
    shape = SESSION.get_service_model("s3").operation_model("PutBucketLifecycleConfiguration").input_shape
    parameters = {"Bucket": "media", "LifecycleConfiguration": json.loads(rules)}
    assert not ParamValidator().validate(parameters, shape).has_errors()
    [rule] = json.loads(rules)["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def test_the_rule_for_obs_is_one_that_the_exporter_reads_as_such():
    [rules] = blocks(PAGES["MpuNoAbortRule"], "xml")
    read = read_rules(SimpleNamespace(body=rules.encode()), watched_prefix=None)
    assert (read.bucket, read.prefix) == (7 * DAY_SECONDS, None)


def test_the_rule_for_google_is_one_that_aborts_everything_after_a_week():
    [rules] = re.findall(r"^ *echo '(.*)' > lifecycle.json$", PAGES["MpuNoAbortRule"], re.MULTILINE)
    abort = {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}}
    assert json.loads(rules) == {"rule": [abort]}


@pytest.mark.parametrize("name", NAMES)
def test_a_silence_names_labels_that_the_alert_has(name: str):
    [words] = commands(PAGES[name], "amtool")
    matchers = dict(word.split("=", 1) for word in words[2:] if not word.startswith("--"))
    assert words[:2] == ["silence", "add"]
    assert matchers["alertname"] == name
    assert matchers.keys() <= LABELS[name]


def test_amtool_understands_every_silence():
    need("amtool")
    for words in filter(None, called("amtool")):
        nobody = f"--alertmanager.url=http://127.0.0.1:{free_port()}"
        command = ["amtool", *(nobody if word.startswith("--alertmanager.url") else word for word in words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert "connection refused" in done.stderr, done.stderr


def test_radosgw_admin_has_every_command():
    need("radosgw-admin")
    command = ["radosgw-admin", "--help", "--no-mon-config"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    shown = [
        " ".join(word for word in words if word[0] != "-")
        for word in [0]
        for words in called("radosgw-admin")
    ]
    assert "lc process" in shown
    for command in shown:
        assert re.search(rf"^ *{command} ", told, re.MULTILINE), command


@pytest.mark.parametrize("name", NAMES)
def test_what_is_looked_for_in_the_log_is_what_the_exporter_says(name: str):
    looked_for = {words[0] for words in commands(PAGES[name], "grep")} - {"media", "mpu_shard"}
    said = set(re.findall(r"says `([^`]+)`", prose(PAGES[name]))) - {"NoSuchUpload"}
    assert [text for text in looked_for | said if text not in SOURCES] == []


@pytest.mark.parametrize("name", ["MpuDataTooOld", "MpuExporterAbsent", "README"])
def test_of_a_textfile_it_asks_the_units_that_the_guide_sets_up(name: str):
    set_up = set(re.findall(r"# /etc/systemd/system/(\S+)", GUIDE["operations"]))
    named = set(re.findall(r"mpu-exporter[\w-]*[.](?:timer|service)", DOCUMENTS[name]))
    assert ("mpu-exporter-scan.service" in named, named - set_up) == (True, set())

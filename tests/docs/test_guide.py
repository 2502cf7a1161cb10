"""The documents say what is: their tables, commands, snippets and alerts are held against the code."""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import yaml
from deploy.charts import render
from docs.documents import (
    DOCUMENTS,
    GUIDE,
    README,
    ROOT,
    anchors,
    blocks,
    code,
    commands,
    files,
    links,
    table,
)
from servers import need
from unit.example_board import full_registry

from exporter.cli import main as cli
from exporter.config.load import load
from exporter.config.settings import Settings, StoreKind
from exporter.model.errors import Reason

TLS_FILES = ("web.yml", "prometheus-tls.yml")
"""Run by tests/real/test_tls.py."""
ENVIRON = {"CEPH_KEY": "key", "CEPH_SECRET": "secret", "OBS_KEY": "key", "OBS_SECRET": "secret"}
ENVIRON["AZURE_STORAGE_CONNECTION_STRING"] = "AccountName=media;AccountKey=a2V5"
RUNBOOKS = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "helm/runbooks").glob("*.md"))]
EVERYWHERE = "\n".join(DOCUMENTS.values())


def exposed() -> dict[str, tuple[str, set[str]]]:
    """Return type and labels of every metric of ours, by the name that the table has."""
    suffixes = {"counter": "_total", "info": "_info"}
    return {
        family.name + suffixes.get(family.type, ""): (
            family.type.replace("gaugehistogram", "gauge histogram"),
            {re.sub("^tag_.*", "tag_NAME", label) for sample in family.samples for label in sample.labels},
        )
        for family in full_registry().collect()
        if not family.name.startswith(("process_", "python_"))
    }


class TestMetrics:
    def test_the_table_is_what_is_exposed(self):
        shown = {
            name.strip("`"): (kind, set(code(labels)))
            for name, kind, labels, _ in table(GUIDE["metrics"], "name", "type", "labels", "meaning")
        }
        assert exposed() == shown

    def test_every_metric_that_is_mentioned_exists(self):
        names = set(exposed())
        parts = {f"mpu_upload_age_seconds_{part}" for part in ("bucket", "gcount", "gsum")}
        for document in DOCUMENTS.values():
            assert set(re.findall(r"\bmpu_\w+", document)) <= names | parts

    def test_the_sample_output_is_of_metrics_that_exist(self):
        [sample] = [block for block in blocks(README, "") if block.startswith("mpu_")]
        metrics = exposed()
        for line in sample.splitlines():
            name, labels = re.fullmatch(r"(\w+)\{(.*)\} [0-9.e+]+", line).groups()
            assert metrics[name][1] == set(re.findall(r'(\w+)="', labels))

    def test_the_reasons_are_the_reasons(self):
        assert {reason.value for reason in Reason} == {
            code(name)[0] for name, _ in table(GUIDE["metrics"], "reason", "meaning")
        }


def flags(command: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return a command's flags with their defaults, as its --help tells them."""
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    text = re.sub(r"\s+", " ", capsys.readouterr().out.partition("options:")[2])
    return dict(re.findall(r"(--[a-z]+\.[a-z.-]+) .*?\(default: ([^,) ]+)", text))


def own_flags(command: str) -> set[str]:
    """Return a command's flags that are not in Prometheus' style."""
    with redirect_stdout(io.StringIO()) as shown, pytest.raises(SystemExit):
        cli.main([command, "--help"])
    heads = [line for line in shown.getvalue().splitlines() if line.startswith("  -")]
    options = {text for line in heads for text in re.findall(r"(?:^  |, )(--?[a-z][\w.-]*)", line)}
    return {text for text in options - {"-h", "--help"} if "." not in text}


SHOWN = [
    words
    for document in DOCUMENTS.values()
    for words in commands(document, "mpu-exporter")
    if "COMMAND" not in words
]


class TestCommands:
    @pytest.fixture(autouse=True)
    def _keep_zone(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("TZ", "UTC")

    def test_some_are_shown(self):
        assert {"demo", "serve", "check"} <= {words[0] for words in SHOWN if words}

    @pytest.mark.parametrize("words", SHOWN, ids=" ".join)
    def test_each_is_understood(self, words: list[str], monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(cli, "run", lambda options: options.command)
        assert cli.main(words) == (words[0] if words and not words[0].startswith("-") else "serve")

    def test_the_flags_are_the_flags(self, capsys: pytest.CaptureFixture[str]):
        rows = table(GUIDE["cli"], "flag", "default", "meaning")
        shown = {code(flag)[0]: code(default)[0] for flag, default, _ in rows}
        assert flags("serve", capsys) == shown
        assert flags("check", capsys).keys() | flags("demo", capsys).keys() <= shown.keys()

    def test_the_commands_are_the_commands_with_the_flags_of_their_own(self):
        rows = table(GUIDE["cli"], "command", "its own flags", "does")
        assert {name: own_flags(name) for name in cli.COMMANDS} == {
            code(name)[0]: set(code(flags)) for name, flags, _ in rows
        }

    @pytest.mark.parametrize("document", DOCUMENTS)
    def test_every_flag_that_is_mentioned_exists(self, document: str, capsys: pytest.CaptureFixture[str]):
        mentioned = set(re.findall(r"--[a-z]+\.[a-z.-]*[a-z]", DOCUMENTS[document]))
        assert mentioned <= flags("serve", capsys).keys()


def load_snippet(text: str, folder: Path) -> Settings:
    """Load a config, the files it names made up in `folder`."""
    text = text.replace("/run/secrets", str(folder))
    for name in re.findall(rf"{re.escape(str(folder))}[\w./-]+", text):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("text", encoding="utf-8")
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, ENVIRON)


class TestSnippets:
    @pytest.mark.parametrize("document", DOCUMENTS)
    def test_yaml_and_json_parse(self, document: str):
        for block in blocks(DOCUMENTS[document], "yaml"):
            assert yaml.safe_load(block)
        for block in blocks(DOCUMENTS[document], "json"):
            assert json.loads(block)

    def test_every_yaml_says_which_file_it_is(self):
        known = ("config.yaml", "prometheus.yml", "dashboards.yaml", "values.yaml", "compose.override.yaml")
        known += ("owners.yml", "alertmanager.yml")
        named = [files(EVERYWHERE, name) for name in (*known, *TLS_FILES)]
        assert len(blocks(EVERYWHERE, "yaml")) == sum(map(len, named))
        assert all(named)

    def test_configs_load(self, tmp_path: Path):
        for number, snippet in enumerate(files(EVERYWHERE, "config.yaml")):
            folder = tmp_path / str(number)
            folder.mkdir()
            assert load_snippet(snippet, folder).targets

    def test_chart_values_pass_the_charts_schema_and_hold_a_config_that_loads(self, tmp_path: Path):
        for snippet in files(EVERYWHERE, "values.yaml"):
            values = yaml.safe_load(snippet)
            assert render(snippet)
            if "config" not in values:
                continue
            settings = load_snippet(yaml.safe_dump(values["config"]), tmp_path)
            mounted = {
                f"{tmp_path}/mpu-exporter/{item['path']}"
                for secret in values["credentialSecrets"]
                for item in secret["items"]
            }
            keys = settings.targets[0].credentials
            assert mounted == {str(keys.access_key_id.file), str(keys.secret_access_key.file)}

    def test_prices_add_up(self):
        head = ("", "requests a scan", "every 5 min", "hourly", "every 6 h")
        uploads, price, month = 10_000, 0.005 / 1000, 30 * 24
        sent = {
            "parts: always": math.ceil(uploads / 1000) + uploads,
            "parts: never": math.ceil(uploads / 1000),
        }
        for name, requests, *costs in table(GUIDE["performance"], *head):
            count = sent[code(name)[0]]
            scans = (month * 12, month, month / 6)
            assert [f"{count:,}", *(f"${count * each * price:.2f}" for each in scans)] == [requests, *costs]


VAULT = "arn:aws:glacier:eu-central-1:111122223333:vaults/tapes"
DIRECTORY_BUCKET = "arn:aws:s3express:eu-west-1:111122223333:bucket/media--euw1-az1--x-s3"
POLICIES = {
    "Amazon S3": {
        ("s3:ListBucketMultipartUploads", "arn:aws:s3:::media"),
        ("s3:ListMultipartUploadParts", "arn:aws:s3:::media/*"),
        ("s3express:CreateSession", DIRECTORY_BUCKET),
    },
    "Huawei OBS": {
        ("obs:bucket:ListBucketMultipartUploads", "obs:*:*:bucket:media-eu"),
        ("obs:object:ListMultipartUploadParts", "obs:*:*:object:media-eu/*"),
    },
    "Amazon Glacier": {("glacier:ListMultipartUploads", VAULT), ("glacier:ListParts", VAULT)},
    "Roles": {("sts:AssumeRole", "arn:aws:iam::111122223333:role/mpu-exporter")},
}
"""What each section of docs/permissions.md allows; another store's section has a test with that store."""


class TestPermissions:
    @pytest.mark.parametrize("section", POLICIES)
    def test_policies_allow_exactly_what_is_needed(self, section: str):
        text = GUIDE["permissions"].partition(f"\n## {section}\n")[2].partition("\n## ")[0]
        allowed = {
            (action, resource)
            for policy in map(json.loads, blocks(text, "json"))
            for statement in policy["Statement"]
            for action in as_list(statement["Action"])
            for resource in as_list(statement.get("Resource", []))  # a trust policy has none
            if statement["Effect"] == "Allow"
        }
        assert allowed == POLICIES[section]

    def test_nothing_else_is_ever_asked_for(self):
        lifecycle = {f"{service}:GetLifecycleConfiguration" for service in ("s3", "s3express", "obs:bucket")}
        service = r"(s3|s3express|kms|sts|iam|obs|glacier)(:\w+){1,2}"
        named = {name for name in code(GUIDE["permissions"]) if re.fullmatch(service, name)}
        lists = {"s3:ListAllMyBuckets", "obs:bucket:ListAllMyBuckets", "glacier:ListVaults"}
        tags = {"s3:GetBucketTagging", "obs:bucket:GetBucketTagging", "glacier:ListTagsForVault"}
        assert named == {"kms:Decrypt", *lifecycle, *lists, *tags}


class TestStores:
    def test_every_kind_is_on_the_page_of_stores(self):
        kinds = {f"`{kind}`" for kind in StoreKind}
        assert {kind for kind in kinds if kind not in GUIDE["stores"]} == set()


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def promtool(*arguments: str, folder: Path) -> str:
    """Return what promtool has to complain of: nothing is ''."""
    need("promtool")
    command = ["promtool", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return (done.stdout + done.stderr).strip() if done.returncode else ""


class TestAlerts:
    def test_the_table_has_every_alert_with_its_severity(self):
        values = yaml.safe_load((ROOT / "helm/mpu-exporter/values.yaml").read_text(encoding="utf-8"))
        pattern = r"^\| \[`(Mpu\w+)`\]\(\.\./helm/runbooks/(\w+)\.md\) \| (\w+) \|"
        rows = re.findall(pattern, GUIDE["alerts"], re.MULTILINE)
        assert [(name, severity) for name, _, severity in rows] == [
            (name, rule["severity"]) for name, rule in values["alerts"]["rules"].items()
        ]
        assert [name for name, page, _ in rows if name != page] == []

    def test_the_config_of_prometheus_passes_the_linter(self, tmp_path: Path):
        [text] = set(files(EVERYWHERE, "prometheus.yml"))
        (tmp_path / "helm").symlink_to(ROOT / "helm")
        (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
        assert (
            promtool("check", "config", "--lint=all", "--lint-fatal", "prometheus.yml", folder=tmp_path) == ""
        )

    def test_promql_snippets_parse(self, tmp_path: Path):
        queries = "".join(blocks(EVERYWHERE, "promql")).splitlines()
        records = [{"record": f"query{number}", "expr": query} for number, query in enumerate(queries)]
        rules = {"groups": [{"name": "queries", "rules": records}]}
        (tmp_path / "queries.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
        assert len(queries) >= 3
        assert promtool("check", "rules", "queries.yml", folder=tmp_path) == ""

    def test_an_alert_has_the_owner_of_its_bucket_and_is_kept_where_nobody_knows_one(self, tmp_path: Path):
        """Also where two pods overlap, of which one has read the tag anew."""
        [text] = files(GUIDE["alerts"], "owners.yml")
        (tmp_path / "owners.yml").write_text(text, encoding="utf-8")
        tags = {"a": ("old", "video"), "b": ("", ""), "c": ()}
        series = [
            f'mpu_bucket_info{{target="prod",store="s3",bucket="{bucket}",pod="{pod}",tag_owner="{owner}"}}'
            for bucket, owners in tags.items()
            for pod, owner in enumerate(owners)
        ]
        found = [{"series": each, "values": f"1x{20 if 'old' in each else 95}"} for each in series] + [
            {
                "series": f'mpu_stale_bytes{{target="prod",store="s3",bucket="{bucket}",pod="{pod}"}}',
                "values": "2e9x95",
            }
            for bucket in tags
            for pod in range(2)
        ]
        labels = {"severity": "warning", "target": "prod", "store": "s3"}
        expected = [
            {
                "exp_labels": labels | {"bucket": bucket} | ({"tag_owner": owner} if owner else {}),
                "exp_annotations": {"summary": f"1.863GiB of stale uploads in {bucket} of prod"},
            }
            for bucket, owner in (("a", "video"), ("b", ""), ("c", ""))
        ]
        alert = {"eval_time": "90m", "alertname": "StaleUploadsOfOwner", "exp_alerts": expected}
        case = {"interval": "1m", "input_series": found, "alert_rule_test": [alert]}
        (tmp_path / "test.yml").write_text(yaml.safe_dump({"rule_files": ["owners.yml"], "tests": [case]}))
        assert promtool("test", "rules", "test.yml", folder=tmp_path) == ""

    def test_alertmanager_takes_the_route_to_the_owner(self, tmp_path: Path):
        need("amtool")
        for number, text in enumerate(files(EVERYWHERE, "alertmanager.yml")):
            (tmp_path / f"{number}.yml").write_text(text, encoding="utf-8")
            command = ["amtool", "config", "routes", "test", f"--config.file={number}.yml", "tag_owner=video"]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.stdout.strip() == "video-team"

    def test_no_age_is_taken_against_now(self):
        for document in DOCUMENTS.values():
            assert re.findall(r"time\(\)[^`\n]*mpu_oldest", document) == []


class TestLinks:
    @pytest.mark.parametrize("document", [*DOCUMENTS, "helm/mpu-exporter/README.md", *RUNBOOKS])
    def test_files_and_headings_exist(self, document: str):
        file = ROOT / document
        for link in links(file.read_text(encoding="utf-8")):
            path, _, anchor = link.partition("#")
            if link.startswith("https://"):
                continue
            there = file.parent / path if path else file
            assert there.exists(), link
            assert not anchor or anchor in anchors(there.read_text(encoding="utf-8")), link

    @pytest.mark.parametrize("document", DOCUMENTS)
    def test_paths_in_backticks_exist(self, document: str):
        words = {word for text in code(DOCUMENTS[document]) for word in text.split()}
        for word in words:
            path = word.removeprefix("./").partition("::")[0]  # of a test, its file
            rooted = path.startswith(
                ("tests/", "helm/", "exporter/", "docs/", "findings/", ".github/", ".ci/")
            )
            assert not rooted or any(ROOT.glob(path.replace("NAME", "*"))), word

    def test_every_page_is_in_both_lists(self):
        pages = {path.partition("/")[2] for path in DOCUMENTS if path.startswith("docs/")} - {"README.md"}
        assert set(links(GUIDE["README"])) >= pages
        by_hand = {"releasing.md", "testing.md"}  # for those who change it: CONTRIBUTING has them
        assert {link.removeprefix("docs/") for link in links(README)} >= pages - by_hand

    @pytest.mark.parametrize("page", ["docs/permissions.md"])
    def test_the_hints_of_errors_lead_somewhere(self, page: str):
        sources = [path.read_text(encoding="utf-8") for path in (ROOT / "exporter").rglob("*.py")]
        named = {name for source in sources for name in re.findall(r"\bdocs/[\w-]+\.md", source)}
        assert page in named
        assert {name for name in named if name not in DOCUMENTS} == set()

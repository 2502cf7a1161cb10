"""The alerts as Grafana provisions them: the same as those of Prometheus, in the terms of its file."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
import yaml
from charts import find, render
from operator_kinds import COUNT, DURATION, TEXT, closed, many
from rules import NAMES, grafana_file, grafana_rules, prometheus_groups, prometheus_rules

PROMETHEUS, GRAFANA = prometheus_rules(), grafana_rules()
every_alert = pytest.mark.parametrize("name", NAMES)

# After pkg/services/provisioning/alerting/rules_types.go of Grafana, which drops unknown keys silently.
RANGE = closed("from", "to", **{"from": COUNT, "to": COUNT})
QUERY = closed("refId", "expr", "instant", refId=TEXT, expr=TEXT, instant={"const": True})
THRESHOLD = closed(
    *("refId", "type", "expression", "conditions"),
    refId=TEXT,
    type={"const": "threshold"},
    expression={"const": "A"},
    conditions=many(
        closed(
            "evaluator",
            evaluator=closed(
                "type",
                "params",
                type={"enum": ["gt", "lt"]},
                params={**many({"type": "number"}), "maxItems": 1},
            ),
        )
    ),
)
DATA = [
    closed(
        *("refId", "relativeTimeRange", "datasourceUid", "model"),
        refId=TEXT,
        relativeTimeRange=RANGE,
        datasourceUid=TEXT,
        model=model,
    )
    for model in (QUERY, THRESHOLD)
]
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
RULE = closed(
    *("uid", "title", "condition", "data", "noDataState", "execErrState", "for", "labels", "annotations"),
    uid={"type": "string", "pattern": "^[a-z-]{1,40}$"},
    title=TEXT,
    condition={"const": "threshold"},
    data={"type": "array", "prefixItems": DATA, "items": False, "minItems": 2},
    noDataState={"const": "KeepLast"},
    execErrState={"enum": ["OK", "Alerting", "Error", "KeepLast"]},
    **{"for": DURATION},
    keepFiringFor=DURATION,
    missing_series_evals_to_resolve={"type": "integer", "minimum": 1},
    labels=STRINGS,
    annotations=STRINGS,
)
GROUP = closed(
    *("orgId", "name", "folder", "interval", "rules"),
    orgId={"type": "integer", "minimum": 1},
    name=TEXT,
    folder=TEXT,
    interval={"const": "1m"},
    rules=many(RULE),
)
NOTHING_LEFT = "\n) or on () 0 * count(mpu_exporter_build_info)"
FILE = closed("apiVersion", "groups", apiVersion={"const": 1}, groups=many(GROUP))


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def parts(rule: dict[str, Any]) -> tuple[str, str, float]:
    """Return a rule's value, which side of its threshold is bad, and the threshold."""
    query, threshold = (each["model"] for each in rule["data"])
    [condition] = threshold["conditions"]
    [limit] = condition["evaluator"]["params"]
    return query["expr"], {"gt": ">", "lt": "<"}[condition["evaluator"]["type"]], limit


def test_the_file_has_only_what_grafana_reads():
    jsonschema.validate(yaml.safe_load(grafana_file()), FILE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("keepFiringFor", "keep_firing_for"),
        ("noDataState: KeepLast", "noDataState: Keep"),
        ("for: 15m", "for: 15 m"),
    ],
)
def test_what_grafana_would_drop_or_refuse_is_noticed(old: str, new: str):
    broken = grafana_file().replace(old, new)
    assert broken != grafana_file()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(broken), FILE)


@every_alert
def test_an_alert_is_the_same_as_in_prometheus(name: str):
    value, side, limit = parts(GRAFANA[name])
    if side == ">":
        assert value.endswith(NOTHING_LEFT)
        value = value.removeprefix("(\n").removesuffix(NOTHING_LEFT)
    expected = f"({value}) {side} {limit}" if "\n" in value else f"{value.strip()} {side} {limit}"
    assert one_line(PROMETHEUS[name]["expr"]).replace("( ", "(").replace(" )", ")") == one_line(
        expected
    ).replace("( ", "(").replace(" )", ")")
    for grafanas, own in (("for", "for"), ("keepFiringFor", "keep_firing_for")):
        assert GRAFANA[name].get(grafanas) == PROMETHEUS[name].get(own)
    assert GRAFANA[name]["labels"] == PROMETHEUS[name]["labels"]


@every_alert
def test_texts_are_the_same_but_for_the_name_of_the_value(name: str):
    texts = GRAFANA[name]["annotations"]
    assert "$value " not in str(texts)
    assert {k: v.replace("$values.A.Value", "$value") for k, v in texts.items()} == PROMETHEUS[name][
        "annotations"
    ]
    assert not re.search(r"\$\{", str(texts))  # Grafana would look for a variable of its environment


@every_alert
def test_a_series_that_is_missing_is_kept_as_long_as_one_that_is_well(name: str):
    """Grafana evaluates once a minute, and one evaluation more may have begun before."""
    kept = GRAFANA[name].get("keepFiringFor")
    minutes = {None: None, "10m": 12, "30m": 32}[kept]
    assert GRAFANA[name].get("missing_series_evals_to_resolve") == minutes


@pytest.mark.parametrize(
    ("kept", "evaluations"),
    [("1h", 62), ("1h30m", 92), ("2d", 2882), ("45s", 2), ("90m", 92), ("1d2h3m", 1565), ("1w1d", 11522)],
)
def test_any_time_to_keep_firing_becomes_evaluations(kept: str, evaluations: int):
    rules = grafana_rules(f"{{rules: {{MpuStaleUploads: {{keepFiringFor: {kept}}}}}}}")
    assert rules["MpuStaleUploads"]["missing_series_evals_to_resolve"] == evaluations


def test_the_value_is_named_right_in_annotations_of_the_users_own():
    rules = grafana_rules("{additionalAnnotations: {mine: '{{$value}} of {{ $values.B.Value }}, $valued'}}")
    text = rules["MpuStaleUploads"]["annotations"]["mine"]
    assert text == "{{$values.A.Value}} of {{ $values.B.Value }}, $valued"


def test_a_dollar_in_a_label_is_no_variable():
    rules = grafana_rules("{additionalLabels: {team: '$storage'}}")
    assert rules["MpuStaleUploads"]["labels"] == {"severity": "warning", "team": "$$storage"}


class TestValues:
    def test_an_alert_can_be_left_out(self):
        values = "{rules: {MpuScanSlow: {enabled: false}}}"
        assert set(NAMES) - set(prometheus_rules(values)) == {"MpuScanSlow"}
        assert set(NAMES) - set(grafana_rules(values)) == {"MpuScanSlow"}

    def test_null_leaves_an_alert_out_as_well(self):
        values = "{rules: {MpuScanSlow: null}}"
        assert set(NAMES) - set(prometheus_rules(values)) == {"MpuScanSlow"}
        assert set(NAMES) - set(grafana_rules(values)) == {"MpuScanSlow"}

    def test_a_group_without_alerts_is_an_empty_list(self):
        [group] = prometheus_groups("{rules: null}")
        [grafanas] = yaml.safe_load(grafana_file("{rules: null}"))["groups"]
        assert (group["rules"], grafanas["rules"]) == ([], [])

    def test_thresholds_times_and_severities_are_the_users(self):
        own = "{threshold: 1.5, for: 2h, keepFiringFor: '', severity: page}"
        rule = prometheus_rules(f"{{rules: {{MpuScanSlow: {own}}}}}")["MpuScanSlow"]
        assert rule["expr"].endswith(") > 1.5")
        assert (rule["for"], rule.get("keep_firing_for"), rule["labels"]) == (
            "2h",
            None,
            {"severity": "page"},
        )

    def test_windows_are_the_users(self):
        rule = prometheus_rules("{rules: {MpuUploadsGrowing: {window: 7d}}}")["MpuUploadsGrowing"]
        assert "offset 7d" in rule["expr"]
        assert "than 7d ago" in rule["annotations"]["description"]

    @pytest.mark.parametrize("folder", ["https://wiki.example.com/mpu", "https://wiki.example.com/mpu/"])
    def test_runbooks_are_the_users(self, folder: str):
        rule = prometheus_rules(f"{{runbookUrl: '{folder}'}}")["MpuThrottled"]
        assert rule["annotations"]["runbook_url"] == "https://wiki.example.com/mpu/MpuThrottled.md"

    def test_no_runbooks_no_links(self):
        assert [
            r for r in prometheus_rules("{runbookUrl: ''}").values() if "runbook_url" in r["annotations"]
        ] == []

    def test_labels_and_annotations_are_added_and_never_take_the_place_of_ours(self):
        rules = prometheus_rules(
            "{additionalLabels: {team: a, severity: b}, additionalAnnotations: {owner: storage, summary: z}}"
        )
        assert rules["MpuScanSlow"]["labels"] == {"team": "a", "severity": "info"}
        assert rules["MpuScanSlow"]["annotations"]["owner"] == "storage"
        assert rules["MpuScanSlow"]["annotations"]["summary"].startswith("Scans of a bucket take longer")

    def test_every_metric_can_be_restricted(self):
        selector = '{selector: \'cluster="a",job=~"m.*"\'}'
        prometheus = [rule["expr"] for rule in prometheus_rules(selector).values()]
        for expr in [*prometheus, *(parts(rule)[0] for rule in grafana_rules(selector).values())]:
            found = re.findall(r"\b(?:mpu|process)_\w+(\{[^}]*\})?", expr)
            assert found
            assert all('cluster="a",job=~"m.*"' in selector for selector in found)

    def test_groups_of_the_users_own_are_added(self):
        group = "{name: mine, rules: [{alert: Mine, expr: 'vector(1) > {{ x }}'}]}"
        documents = render(f"prometheusRule: {{enabled: true, extraGroups: [{group}]}}")
        groups = find("PrometheusRule", documents)["spec"]["groups"]
        assert [group["name"] for group in groups] == ["mpu-exporter", "mine"]
        assert groups[1]["rules"] == [{"alert": "Mine", "expr": "vector(1) > {{ x }}"}]

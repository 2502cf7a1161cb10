"""Every query of the runbooks, by promtool: it parses, can be evaluated, and tells of the alert's case."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from alert_cases import BUCKET, CASES, Case, Series, scraped
from docs.documents import blocks
from rules import NAMES, SOURCE, VALUES, promtool, write_yaml
from runbooks import DOCUMENTS, PAGES, metrics

if TYPE_CHECKING:
    from pathlib import Path

METRICS = metrics()
LABELS = BUCKET | {"operation": "ListParts", "reason": "throttled", "scope": "bucket"}
QUERIES = {name: blocks(page, "promql") for name, page in PAGES.items()}
ABOUT_TARGETS = [alert["alert"] for alert in SOURCE if "$labels.target" in alert["description"]]
REDUCED = re.compile(r"\w+ without \([^)]*\binstance, pod, container, endpoint\) \(")
MINUTES = {"m": 1, "h": 60, "d": 1440}


def write_queries(folder: Path, queries: list[str]) -> None:
    records = [{"record": f"query{number}", "expr": query} for number, query in enumerate(queries)]
    write_yaml(folder / "queries.yml", {"groups": [{"name": "queries", "rules": records}]})


def tells(queries: list[str], minute: int) -> dict[str, Any]:
    """Return promtool's test that one of the queries at least tells something at that minute."""
    told = " or ".join(f"(count({query}) > bool 0)" for query in queries)
    return {"expr": told, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": 1}]}


def evaluate(
    folder: Path, queries: list[str], found: Series, pods: tuple[str, ...], looks: list[dict[str, Any]]
) -> str:
    """Return what promtool complains of: queries that fail, and looks that see something else."""
    write_queries(folder, queries)
    inputs = [line for cluster in ("east", "west") for line in scraped(found, cluster, pods)]
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": looks}
    write_yaml(
        folder / "tests.yml",
        {"rule_files": ["queries.yml"], "evaluation_interval": "1m", "tests": [test]},
    )
    return promtool("test", "rules", "tests.yml", folder=folder)


def fires(case: Case) -> int:
    pending = VALUES[case.alert]["for"]
    return case.since + int(pending[:-1]) * MINUTES[pending[-1]]


def test_every_page_has_some():
    assert [name for name, queries in QUERIES.items() if queries] == NAMES


def test_all_parse(tmp_path: Path):
    write_queries(tmp_path, [query for queries in QUERIES.values() for query in queries])
    assert promtool("check", "rules", "queries.yml", folder=tmp_path) == ""


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_metric_that_is_named_exists(document: str):
    assert set(re.findall(r"\bmpu_\w+", DOCUMENTS[document])) - {"mpu_shard"} <= METRICS.keys()


@pytest.mark.parametrize("name", NAMES)
def test_labels_that_are_matched_are_those_of_the_metric(name: str):
    for query in QUERIES[name]:
        for metric, matchers in re.findall(r"\b(mpu_\w+)\{([^}]*)\}", query):
            assert set(re.findall(r"(\w+)!?=", matchers)) <= METRICS[metric]


@pytest.mark.parametrize("name", ABOUT_TARGETS)
def test_two_pods_count_once(name: str):
    for query in QUERIES[name]:
        assert len(REDUCED.findall(query)) == query.count("mpu_")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_they_tell_something_when_the_alert_fires(case: Case, tmp_path: Path):
    queries = QUERIES[case.alert]
    assert evaluate(tmp_path, queries, case.bad, case.pods, [tells(queries, fires(case))]) == ""


def test_each_can_be_evaluated_where_two_pods_in_two_clusters_have_every_metric(tmp_path: Path):
    everything = {
        (name, frozenset((label, LABELS.get(label, "some")) for label in labels)): "1+1x200"
        for name, labels in METRICS.items()
    }
    queries = [query for each in QUERIES.values() for query in each]
    looks = [{"expr": "vector(1)", "eval_time": "200m", "exp_samples": [{"labels": "{}", "value": 1}]}]
    assert evaluate(tmp_path, queries, everything, ("mpu-0", "mpu-1"), looks) == ""


def test_queries_that_tell_nothing_are_noticed(tmp_path: Path):
    case, queries = CASES[0], ["mpu_stale_uploads > 7"]
    assert "got: nil" in evaluate(tmp_path, queries, case.bad, case.pods, [tells(queries, 1)])


def test_a_query_that_cannot_be_evaluated_is_noticed(tmp_path: Path):
    case = CASES[0]
    queries = ["mpu_stale_uploads", "mpu_stale_uploads / ignoring (pod, instance) mpu_stale_uploads"]
    assert "many-to-many" in evaluate(tmp_path, queries, case.bad, case.pods, [tells(queries[:1], 1)])


def test_hosts_whose_textfile_is_gone_or_old_are_told(tmp_path: Path):
    """As node_exporter 1.5 names the file; one host still answers, the other does not."""
    files = {
        host: f'{{job="node",instance="{host}",file="/var/lib/node_exporter/mpu.prom"}}' for host in "ab"
    }
    inputs = [
        {"series": f"node_textfile_mtime_seconds{files['a']}", "values": "60x9 stale"},
        {"series": f"node_textfile_mtime_seconds{files['b']}", "values": "60x200"},
        {"series": 'up{job="node",instance="a"}', "values": "0x200"},
        {"series": 'up{job="node",instance="b"}', "values": "1x200"},
    ]
    [absent] = [query for query in QUERIES["MpuExporterAbsent"] if "_mtime_" in query]
    [old] = [query for query in QUERIES["MpuDataTooOld"] if "_mtime_" in query]
    looks = [
        {
            "expr": absent,
            "eval_time": "1h",
            "exp_samples": [{"labels": files["a"], "value": 0}, {"labels": files["b"], "value": 1}],
        },
        {"expr": old, "eval_time": "1h", "exp_samples": [{"labels": files["b"], "value": 3540}]},
    ]
    write_queries(tmp_path, [absent, old])
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": looks}
    write_yaml(tmp_path / "tests.yml", {"rule_files": ["queries.yml"], "tests": [test]})
    assert promtool("test", "rules", "tests.yml", folder=tmp_path) == ""

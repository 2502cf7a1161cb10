"""The dashboards' queries: PromQL of metrics that there are, reduced over pods before anything else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from cases import in_turn
from dashboards import BOARDS, every_query, filled, queries
from docs.documents import GUIDE, code, table
from rules import promtool

from exporter.metrics.reference import DEFINITIONS

if TYPE_CHECKING:
    from pathlib import Path

REDUCED = (
    r"(max|min|count_values) without \((scope, )?instance, pod, container, endpoint\)( \(\"ordinal\",)?$"
)
METRICS = {
    name.strip("`"): (kind, set(code(labels)))
    for name, kind, labels, _ in table(GUIDE["metrics"], "name", "type", "labels", "meaning")
}
AGES = {
    f"mpu_upload_age_seconds_{part}": ("gauge histogram", {"target", "store", "bucket", *more})
    for part, more in {"bucket": ("le",), "gcount": ()}.items()
}
KNOWN = {**METRICS, **AGES}
OF_ANY_PROCESS = {
    *("process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds"),
    *("process_open_fds", "process_max_fds"),
}
OF_PROMETHEUS = {"up", "scrape_duration_seconds"}
VARIABLES = {
    f"{uid}: {variable['name']}": variable["query"]["query"]
    for uid, board in BOARDS.items()
    for variable in board["templating"]["list"][1:]
    if variable["type"] == "query"
}

every_definition = in_turn("definition", VARIABLES.values(), VARIABLES)


def selectors(query: str) -> list[tuple[str, dict[str, str], str]]:
    """Return each metric of a query with its matchers, and the query up to it."""
    return [
        (match[1], dict(re.findall(r'(\w+)\s*(?:=~|!=|=)\s*"([^"]*)"', match[2])), query[: match.start()])
        for match in re.finditer(r"\b([a-z_]+)\{([^}]*)\}", query)
    ]


def enclosing(before: str) -> list[str]:
    """Return what stands before each parenthesis that is still open, from the inside out."""
    depth, found = 0, []
    for place in range(len(before) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(before[place], 0)
        if depth < 0:
            depth = 0
            found.append(before[:place].rstrip())
    return found


def test_all_are_promql(tmp_path: Path):
    definitions = [re.fullmatch(r"label_values\((.*), \w+\)", each)[1] for each in VARIABLES.values()]
    expressions = [filled(query) for query in [*(query for _, query in queries()), *definitions]]
    rules = [{"record": f"query:{number}", "expr": text} for number, text in enumerate(expressions)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))
    assert promtool("check", "rules", "--lint=all", "--lint-fatal", "rules.yml", folder=tmp_path) == ""
    assert not any("$" in text for text in expressions)


@every_query
def test_asks_for_metrics_and_labels_that_there_are(query: str):
    assert selectors(query)
    for name, matchers, _ in selectors(query):
        _, labels = KNOWN.get(name, ("", set()))
        assert name in KNOWN.keys() | OF_ANY_PROCESS | OF_PROMETHEUS
        assert set(matchers) <= labels | {"job"}


@every_query
def test_chooses_by_every_variable_that_the_metric_knows(query: str):
    for name, matchers, _ in selectors(query):
        _, labels = KNOWN.get(name, ("", set()))
        chosen = {"job"} | (labels & {"store", "target", "bucket"})
        assert {label: f"${label}" for label in chosen} == {k: v for k, v in matchers.items() if k in chosen}


@every_query
def test_a_gauge_is_reduced_over_pods_first(query: str):
    """Two pods that overlap in a rolling update then count once, and several shards all."""
    for name, _, before in selectors(query):
        if name.startswith("mpu_") and not name.endswith(("_total", "_info")):
            assert re.search(REDUCED, enclosing(before)[0])


@every_query
def test_a_counter_is_rated_over_the_interval_of_the_panel_and_then_added_up(query: str):
    for name, _, before in selectors(query):
        within = [each.rpartition(" ")[2].rpartition("(")[2] for each in enclosing(before)]
        assert (name.endswith("_total")) is (within[:1] == ["rate"])
        if name.startswith("mpu_") and name.endswith("_total"):
            assert re.search(r"\bsum( by \([a-z, ]+\))?$", enclosing(before)[1])
    assert set(re.findall(r"\[[^\]]*\]", query)) <= {"[$__rate_interval]"}


@every_definition
def test_a_variable_offers_a_label_of_a_metric_that_there_is(definition: str):
    asked, label = re.fullmatch(r"label_values\((.*), (\w+)\)", definition).groups()
    name = asked.partition("{")[0]
    assert label in METRICS[name][1] | {"job"}
    [(_, matchers, _)] = selectors(asked) or [(name, {}, "")]
    assert matchers == {key: f"${key}" for key in matchers}
    assert set(matchers) <= METRICS[name][1] | {"job"}


def test_every_metric_is_shown_unless_its_definition_says_otherwise():
    shown = {name for _, query in queries() for name, _, _ in selectors(query)}
    left_out = {definition.name for definition in DEFINITIONS if not definition.on_dashboard}
    assert set(KNOWN) - shown == {"mpu_upload_age_seconds", *left_out}  # the ages are shown by their parts
    assert len(left_out) < len(KNOWN) / 10

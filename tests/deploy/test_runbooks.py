"""There is a page for each alert, of one shape, and what it tells of the rule is so."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from docs.documents import ROOT, anchors, files, links, prose, table
from rules import NAMES, SOURCE, VALUES, prometheus_rules
from runbooks import DOCUMENTS, FOLDER, INDEX, PAGES, SECTIONS, panels

from exporter.config.load import load

FACTS = re.compile(
    r"\*\*(?P<severity>\w+)\*\* when [^><]+ (?P<operator>[<>]) (?P<threshold>[\d.]+)( \((?P<words>[^)]+)\))?"
    r"(, window (?P<window>\w+))?, for (?P<for>\w+)(, stays (?P<keepFiringFor>\w+))?"
)
OPERATORS = {alert["alert"]: alert["operator"] for alert in SOURCE}
every_page = pytest.mark.parametrize("name", NAMES)
every_document = pytest.mark.parametrize("document", DOCUMENTS)


def test_the_pages_are_those_of_the_alerts():
    assert {path.stem for path in FOLDER.iterdir()} == {*NAMES, "README"}


def test_the_table_has_every_alert_in_order_with_its_severity():
    rows = table(INDEX, "alert", "severity", "what it means")
    told = [(alert, severity) for alert, severity, meaning in rows if meaning]
    assert told == [(f"[{name}]({name}.md)", VALUES[name]["severity"]) for name in NAMES]


def test_each_alert_leads_to_its_page():
    for name, rule in prometheus_rules().items():
        assert rule["annotations"]["runbook_url"].endswith(f"/{FOLDER.relative_to(ROOT)}/{name}.md")


@every_page
def test_a_page_has_the_sections(name: str):
    headings = re.findall(r"^(#+) (.*)$", prose(PAGES[name]), re.MULTILINE)
    assert headings == [("#", name), *(("##", section) for section in SECTIONS)]
    assert "README.md#where-to-type" in links(PAGES[name])


@every_page
def test_a_page_tells_the_facts_of_its_rule(name: str):
    facts = FACTS.fullmatch(PAGES[name].splitlines()[2]).groupdict(default="")
    rule = VALUES[name]
    assert facts["operator"] == OPERATORS[name]
    assert float(facts["threshold"]) == rule["threshold"]
    for key in ("severity", "window", "for", "keepFiringFor"):
        assert facts[key] == rule.get(key, ""), key


@every_page
def test_a_large_threshold_is_told_in_words_too(name: str):
    threshold, [line] = VALUES[name]["threshold"], PAGES[name].splitlines()[2:3]
    words = {
        1024**3: "(1 GiB)",
        1024**4: "(1 TiB)",
        10 * 1024**4: "(10 TiB)",
        172800: "(2 days)",
        0.05: "(5%)",
    }
    assert words.get(threshold, "") in line
    assert threshold < 10_000 or threshold in words


@every_page
def test_values_for_the_chart_change_the_rule_of_the_page_and_no_other(name: str):
    [snippet] = files(PAGES[name], "values.yaml")
    before, after = prometheus_rules(), prometheus_rules(json.dumps(yaml.safe_load(snippet)["alerts"]))
    changed = {alert for alert in before if before[alert] != after.get(alert)}
    assert changed == {name}


@every_page
def test_configs_load(name: str, tmp_path):
    for number, snippet in enumerate(files(PAGES[name], "config.yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(snippet, encoding="utf-8")
        assert load(file, {}).targets


@every_document
def test_links_lead_somewhere(document: str):
    for link in links(DOCUMENTS[document]):
        path, _, anchor = link.partition("#")
        file = FOLDER / path
        assert file.exists(), link
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), link


@every_document
def test_where_abort_commands_are_printed_it_says_that_the_exporter_runs_none(document: str):
    text = " ".join(DOCUMENTS[document].split())
    aborting = "--format=commands" in text
    assert not aborting or re.search(r"[Tt]he exporter[^.]* (aborts nothing|only prints|does not)", text)


@every_page
def test_panels_of_dashboards_are_there(name: str):
    known = panels()
    for board, title in re.findall(r"ashboard `([\w-]+)`(?:, \"([^\"]+)\")?", PAGES[name]):
        assert board in known
        assert not title or title in known[board]


@every_page
def test_a_page_is_short(name: str):
    lines = [line for line in PAGES[name].splitlines() if line.strip() and "```" not in line]
    assert len(lines) <= 60

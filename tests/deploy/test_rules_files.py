"""The rules for those without Helm are those of the chart, as it renders them by default."""

from __future__ import annotations

import os

import yaml
from rules import NAMES, PLAIN, VALUES, as_yaml, grafana_file, prometheus_groups, promtool

HEAD = (
    "# Made from helm/mpu-exporter/files/rules/alerts.yaml: change that, then run "
    "REWRITE_EXPECTED=1 pytest tests/deploy.\n"
)


def check_file(name: str, text: str) -> None:
    path = PLAIN / name
    if os.environ.get("REWRITE_EXPECTED"):
        path.write_text(HEAD + text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == HEAD + text


def test_the_file_for_prometheus():
    check_file("prometheus.yml", as_yaml({"groups": prometheus_groups()}))


def test_the_file_for_grafana():
    check_file("grafana.yml", grafana_file())


def test_prometheus_accepts_its_file():
    assert promtool("check", "rules", "--lint=all", "--lint-fatal", "prometheus.yml", folder=PLAIN) == ""


def test_both_have_every_alert():
    assert list(VALUES) == NAMES
    for name in ("prometheus.yml", "grafana.yml"):
        [group] = yaml.safe_load((PLAIN / name).read_text(encoding="utf-8"))["groups"]
        assert [rule.get("alert", rule.get("title")) for rule in group["rules"]] == NAMES

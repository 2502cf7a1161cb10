"""The alerts as tests read them: as the chart renders them, and as promtool judges them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import yaml
from charts import CHART, LOADER, find, render
from servers import need

if TYPE_CHECKING:
    from pathlib import Path

SOURCE: list[dict[str, str]] = yaml.safe_load((CHART / "files/rules/alerts.yaml").read_text(encoding="utf-8"))
NAMES = [alert["alert"] for alert in SOURCE]
VALUES: dict[str, dict[str, Any]] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))[
    "alerts"
]["rules"]
PLAIN = CHART.parent / "rules"
"""The files for those without Helm."""


def prometheus_groups(values: str = "{}") -> list[dict[str, Any]]:
    """Return the groups of a PrometheusRule; `values` are those of `alerts`."""
    rule = find("PrometheusRule", render(f"{{prometheusRule: {{enabled: true}}, alerts: {values}}}"))
    groups: list[dict[str, Any]] = rule["spec"]["groups"]
    return groups


def prometheus_rules(values: str = "{}") -> dict[str, dict[str, Any]]:
    """Return the rules of the only group by name."""
    [group] = prometheus_groups(values)
    return {rule["alert"]: rule for rule in group["rules"]}


def grafana_file(values: str = "{}") -> str:
    """Return the file that provisions Grafana's alerts."""
    documents = render(f"{{grafanaAlerts: {{enabled: true}}, alerts: {values}}}")
    [text] = [
        document["data"]["mpu-exporter-alerts.yaml"]
        for document in documents
        if "mpu-exporter-alerts.yaml" in document.get("data", {})
    ]
    return str(text)


def grafana_rules(values: str = "{}") -> dict[str, dict[str, Any]]:
    """Return Grafana's rules by name."""
    [group] = yaml.load(grafana_file(values), LOADER)["groups"]
    return {rule["title"]: rule for rule in group["rules"]}


def write_yaml(path: Path, content: object) -> None:
    """Write a YAML file; texts of several lines stay readable."""
    path.write_text(as_yaml(content), encoding="utf-8")


def as_yaml(content: object) -> str:
    """Return YAML in which a text of several lines is a block."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=130, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002
        super().increase_indent(flow, indentless=False)


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def promtool(*arguments: str, folder: Path) -> str:
    """Return what promtool has to complain of: nothing is ''."""
    need("promtool")
    command = ["promtool", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return (done.stdout + done.stderr).strip() if done.returncode else ""

"""The chart's rules before promtool: series in, what it complains of out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alert_cases import KEPT, Case
from rules import prometheus_groups, promtool, write_yaml

if TYPE_CHECKING:
    from pathlib import Path

GROUPS = prometheus_groups()
RULES = {rule["alert"]: rule for rule in GROUPS[0]["rules"]}


def minutes(text: str) -> int:
    """Return a duration such as 1h as minutes."""
    return int(text[:-1]) * {"m": 1, "h": 60, "d": 1440}[text[-1]] if text else 0


def expected(case: Case, cluster: str) -> dict[str, Any]:
    rule = RULES[case.alert]
    return {
        "exp_labels": KEPT | {"cluster": cluster} | case.labels | rule["labels"],
        "exp_annotations": annotations(case.alert, case.description, case.labels),
    }


def judge(folder: Path, tests: list[dict[str, Any]], groups: list[dict[str, Any]] | None = None) -> str:
    alerts = {look["alertname"] for test in tests for look in test["alert_rule_test"]}
    [group] = groups or GROUPS
    rules = [rule for rule in group["rules"] if rule["alert"] in alerts]
    write_yaml(folder / "rules.yml", {"groups": [group | {"rules": rules}]})
    write_yaml(
        folder / "tests.yml", {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    )
    return promtool("test", "rules", "tests.yml", folder=folder)


def once(
    case_or_alert: str, found: list[dict[str, str]], looks: dict[int, list[dict[str, Any]]]
) -> dict[str, Any]:
    """Return a test of one alert with series as they stand."""
    return {
        "interval": "1m",
        "input_series": found,
        "alert_rule_test": [
            {"eval_time": f"{time}m", "alertname": case_or_alert, "exp_alerts": alerts}
            for time, alerts in looks.items()
        ],
    }


def alert(name: str, description: str, **labels: str) -> dict[str, Any]:
    return {
        "exp_labels": labels | RULES[name]["labels"],
        "exp_annotations": annotations(name, description, labels),
    }


def annotations(name: str, description: str, labels: dict[str, str]) -> dict[str, str]:
    """Return the texts of an alert, filled in."""
    told: dict[str, str] = RULES[name]["annotations"] | {"description": description}
    if "command" in told:
        target, bucket = (labels[key].replace("'", r"'\''") for key in ("target", "bucket"))
        told["command"] = f"mpu-exporter uploads --stale --target='{target}' --bucket='{bucket}'"
    return told

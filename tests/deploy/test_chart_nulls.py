"""A value that is null, as a section is whose every line is a comment: to Helm it is not there at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import helm_python as helm
import yaml
from charts import CHART, find, render

if TYPE_CHECKING:
    from collections.abc import Iterator

SWITCHES = (
    "serviceMonitor",
    "prometheusRule",
    "grafanaAlerts",
    "dashboards",
    "networkPolicy",
    "podMonitoring",
    "verticalPodAutoscaler",
    "podDisruptionBudget",
)
SLOW = ("prometheusRule", "grafanaAlerts", "dashboards")
"""Rendered only for what they read: their own values, those of alerts, and whole sections."""


def places(values: dict, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield where the sections and the values of values.yaml are, but of single alerts and of the config."""
    for key, value in values.items():
        if place != ("alerts", "rules") and key != "config":
            yield (*place, key)
            if isinstance(value, dict):
                yield from places(value, (*place, key))


def without(place: tuple[str, ...]) -> dict:
    """Return the values that turn everything on, and have null at a place."""
    slow = () if len(place) == 1 or place[0] in {*SLOW, "alerts"} else SLOW
    values: dict = {name: {"enabled": True} for name in SWITCHES if name not in slow}
    values["ingress"] = {"enabled": True, "hosts": [{}]}
    values["httpRoute"] = {"enabled": True, "parentRefs": [{"name": "gateway"}]}
    section = values
    for key in place[:-1]:
        section = section.setdefault(key, {})
    section[place[-1]] = None
    return values


def answer(chart: helm.Chart, values: dict) -> str:
    """Return what the user is told, nothing where it renders."""
    try:
        chart.render(values, name="demo", namespace="mon")
    except helm.HelmError as error:
        return str(error)
    return ""


def test_is_missed_by_name_or_does_no_harm():
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    with helm.Chart.load(CHART) as chart:
        answers = {place: answer(chart, without(place)) for place in places(defaults)}
    named = {
        place
        for place, said in answers.items()
        if not said or f"missing property '{place[-1]}'" in said or f"{'.'.join(place)} is empty" in said
    }
    assert set(answers) - named == set()


def test_turns_off_an_alert():
    documents = render("{prometheusRule: {enabled: true}, alerts: {rules: {MpuThrottled: null}}}")
    (group,) = find("PrometheusRule", documents)["spec"]["groups"]
    assert "MpuThrottled" not in [rule["alert"] for rule in group["rules"]]
    assert len(group["rules"]) > 10

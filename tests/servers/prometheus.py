"""Debian's Prometheus on a free loopback port, scraping and judging every second."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from servers import free_port, listens, need, running, wait_until

Series = list[tuple[dict[str, str], float]]


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus that answers instant queries."""

    url: str

    def is_ready(self) -> bool:
        """Whether it answers queries yet: it listens a little earlier."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=10):
                return True
        except urllib.error.HTTPError as error:
            with error:
                return False

    def query(self, promql: str, at: float | None = None) -> Series:
        """Return each series' labels and its value, now or at a moment (Unix seconds)."""
        result = self._data("query", query=promql, **({} if at is None else {"time": at}))["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def history(self, promql: str, start: float, end: float, step: float = 0.5) -> list[float]:
        """Return every value that each series had between two moments (Unix seconds)."""
        result = self._data("query_range", query=promql, start=start, end=end, step=step)["result"]
        return [float(value) for series in result for _, value in series["values"]]

    def label_values(self, label: str, selector: str) -> list[str]:
        """Return the values of a label that the series of a selector have."""
        values: list[str] = self._data(f"label/{label}/values", **{"match[]": selector})
        return values

    def alerts(self, name: str) -> list[dict[str, Any]]:
        """Return the alerts of one name that are pending or firing, with labels and annotations."""
        return [alert for alert in self._data("alerts")["alerts"] if alert["labels"]["alertname"] == name]

    def _data(self, path: str, **query: object) -> Any:
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)["data"]

    def errors(self) -> dict[str, str]:
        """Return what was wrong with each job's last scrape: nothing is ''."""
        targets = self._data("targets")["activeTargets"]
        return {target["labels"]["job"]: target["lastError"] for target in targets}

    def wait_for(
        self, promql: str, predicate: Callable[[Series], bool] = bool, timeout: float = 20
    ) -> Series:
        """Ask until the predicate likes the answer (by default: until there is one), and return it."""
        found: Series = []

        def liked() -> bool:
            found[:] = self.query(promql)
            return predicate(found)

        try:
            wait_until(promql, liked, seconds=timeout)
        except TimeoutError as error:
            raise TimeoutError(f"{error}the last answer was {found}") from None
        return found


def job(scrape_url: str, name: str = "test", **settings: object) -> dict[str, object]:
    """Return a job of Prometheus' config that scrapes this URL; `settings` are further keys of it."""
    target = urllib.parse.urlsplit(scrape_url)
    return {
        "job_name": name,
        "scheme": target.scheme,
        "metrics_path": target.path or "/metrics",
        "static_configs": [{"targets": [target.netloc]}],
        **settings,
    }


@contextmanager
def scraping(
    *jobs: dict[str, object],
    groups: Sequence[object] = (),
    alertmanager: str | None = None,
    program: str = "prometheus",
) -> Iterator[Prometheus]:
    """Run a Prometheus that has these jobs, and groups of rules, every second; its data goes when it ends."""
    every_second = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    with TemporaryDirectory(prefix="mpu-prometheus-") as name:
        folder, port = Path(name), free_port()
        config, log = folder / "prometheus.yml", folder / "prometheus.log"
        settings = {"global": every_second, "scrape_configs": jobs, "rule_files": ["rules.yml"]}
        if alertmanager:
            settings["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
        config.write_text(json.dumps(settings))  # JSON is YAML
        (folder / "rules.yml").write_text(json.dumps({"groups": groups}))
        command = [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--rules.alert.resend-delay=2s",  # what comes before Alertmanager is known is sent again
        ]
        with running(command, log):
            prometheus = Prometheus(f"http://127.0.0.1:{port}")
            wait_until("prometheus", lambda: listens(port) and prometheus.is_ready(), log=log)
            yield prometheus


@pytest.fixture
def prometheus() -> Iterator[Callable[[str], Prometheus]]:
    """Give a function that starts a Prometheus on an address to scrape; all end with the test."""
    need("prometheus")
    with ExitStack() as started:
        yield lambda scrape_url: started.enter_context(scraping(job(scrape_url)))

"""Debian's Alertmanager behind a Prometheus with rules, and the inbox of whom it notifies."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from servers import free_port, listens, need, running, wait_until
from servers.prometheus import Prometheus, scraping


@dataclass(frozen=True)
class Notice:
    """What the receiver was told of one alert: that it fires, or is resolved."""

    name: str
    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class Inbox:
    """Collects what Alertmanager sends to a webhook."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self._arrived = threading.Condition()

    def put(self, message: Mapping[str, list[dict[str, dict[str, str]]]]) -> None:
        with self._arrived:
            for alert in message["alerts"]:
                labels = dict(alert["labels"])
                name = labels.pop("alertname")
                self.notices.append(Notice(name, str(alert["status"]), labels, alert["annotations"]))
            self._arrived.notify_all()

    def wait_for(self, name: str, status: str, seconds: float = 60, **labels: str) -> Notice:
        """Return the latest notice of an alert once it says this, and the alert has these labels."""

        def latest() -> Notice | None:
            matching = [n for n in self.notices if n.name == name and labels.items() <= n.labels.items()]
            return matching[-1] if matching and matching[-1].status == status else None

        with self._arrived:
            if not self._arrived.wait_for(latest, timeout=seconds):
                told = [(notice.name, notice.status, dict(notice.labels)) for notice in self.notices]
                raise TimeoutError(f"{name} was not {status} within {seconds} s; there came {told}")
            notice = latest()
        assert notice
        return notice

    def told_of(self, name: str) -> list[str]:
        """Return what was said of an alert so far: firing, resolved, ..."""
        return [notice.status for notice in list(self.notices) if notice.name == name]


@dataclass(frozen=True)
class Alerting:
    """A Prometheus that evaluates rules every second, and what its Alertmanager told."""

    prometheus: Prometheus
    inbox: Inbox

    def settles(self, promql: str, value: float, evaluations: int = 5) -> None:
        """Wait until every series of a query has had this value for so many evaluations of the rules."""
        past = f"_over_time(({promql})[{evaluations}s:1s]) == {value}"
        steady = f"(min{past}) and (max{past})"
        self.prometheus.wait_for(f"count({steady}) == count({promql})", timeout=60)


@contextmanager
def alerting(groups: Sequence[object], *jobs: dict[str, object]) -> Iterator[Alerting]:
    """Scrape these jobs, evaluate these groups of rules, and collect whom and what would be told."""
    need("prometheus", "prometheus-alertmanager")
    inbox = Inbox()
    with (
        _webhook(inbox.put) as url,
        _alertmanager(_telling_at_once(url)) as address,
        scraping(*jobs, groups=groups, alertmanager=address) as prometheus,
    ):
        yield Alerting(prometheus, inbox)


@contextmanager
def routing(routes: Mapping[str, Any]) -> Iterator[tuple[str, Inbox]]:
    """Run an Alertmanager with this config, its receivers aside, which are one inbox.

    Yields its address. A notice has the name of its receiver among its labels.
    """
    need("prometheus-alertmanager")
    inbox = Inbox()

    def put(message: Any) -> None:
        for alert in message["alerts"]:
            alert["labels"]["receiver"] = message["receiver"]
        inbox.put(message)

    with _webhook(put) as url:
        config = {
            **routes,
            "route": {**routes["route"], "group_wait": "1s", "group_interval": "1s"},
            "receivers": [
                {"name": each["name"], "webhook_configs": [{"url": url}]} for each in routes["receivers"]
            ],
        }
        with _alertmanager(config) as address:
            yield address, inbox


@contextmanager
def _webhook(put: Callable[[dict[str, list[dict[str, dict[str, str]]]]], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def _telling_at_once(webhook: str) -> dict[str, Any]:
    """Return a config by which the webhook is told at once, of each alert on its own."""
    return {
        "route": {
            "receiver": "webhook",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "webhook", "webhook_configs": [{"url": webhook, "send_resolved": True}]}],
    }


@contextmanager
def _alertmanager(config: Mapping[str, Any]) -> Iterator[str]:
    """Run an Alertmanager on a free port."""
    with TemporaryDirectory(prefix="mpu-alertmanager-") as name:
        folder, port = Path(name), free_port()
        (folder / "alertmanager.yml").write_text(json.dumps(config))  # JSON is YAML
        log = folder / "alertmanager.log"
        command = [
            "prometheus-alertmanager",
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        with running(command, log):
            wait_until("alertmanager", lambda: listens(port), log=log)
            yield f"127.0.0.1:{port}"

"""Debian's node_exporter with nothing but its textfile collector."""

import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from servers import free_port, listens, need, running, wait_until


@dataclass(frozen=True)
class TextfileCollector:
    """A running node_exporter, and the folder that it reads."""

    folder: Path
    url: str

    def exposes(self, *texts: str) -> dict[str, str]:
        """Return what a scrape has of these files, values by series; they are read without an error."""
        for number in range(2):
            text = texts[number] if number < len(texts) else ""
            (self.folder / f"mpu-{number}.prom").write_text(text, encoding="utf-8")
        with urllib.request.urlopen(self.url, timeout=10) as answer:
            shown = answer.read().decode()
        assert "node_textfile_scrape_error 0\n" in shown, shown
        assert "error gathering metrics" not in (self.folder / "log").read_text(encoding="utf-8")
        return dict(re.findall(r"^((?:mpu|process)_\w+(?:\{.*\})?) (\S+)$", shown, re.MULTILINE))


@contextmanager
def textfile_collector() -> Iterator[TextfileCollector]:
    """Run one on a free port."""
    need("prometheus-node-exporter")
    with TemporaryDirectory(prefix="mpu-node-exporter-") as name:
        folder, port = Path(name), free_port()
        command = [
            *("prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile"),
            f"--collector.textfile.directory={folder}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with running(command, folder / "log"):
            wait_until("node_exporter", lambda: listens(port), log=folder / "log")
            yield TextfileCollector(folder, f"http://127.0.0.1:{port}/metrics")

"""What Prometheus 3 makes of the exporter: the dashboards, the guide's queries, and native histograms.

By hand: tests/soak/servers/prometheus.sh builds it.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from docs.documents import GUIDE
from servers import do_without
from servers.prometheus import job, scraping
from servers.scraped import CALLED, Scraped, answering, default_ages, prometheus, rig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.prometheus import Prometheus

__all__ = ["prometheus", "rig"]

SCRIPT = Path(__file__).with_name("servers") / "prometheus.sh"
FOUND = subprocess.run([SCRIPT, "installed"], capture_output=True, text=True, check=False)
PROGRAM = FOUND.stdout.strip()
BUCKETS = "mpu_upload_age_seconds_bucket"
[TOLD] = re.findall(r"`scrape_protocols: \[([\w., ]+)\]`", GUIDE["alerts"])
KEEP = "always_scrape_classic_histograms"

if FOUND.returncode:
    do_without("Prometheus 3 (tests/soak/servers/prometheus.sh install)")


class TestPrometheus3(Scraped):
    program = PROGRAM


@pytest.fixture(scope="module")
def converting() -> Iterator[Prometheus]:
    """Give a Prometheus that converts, by the formats that its jobs ask for."""
    text = ["PrometheusText1.0.0", "PrometheusText0.0.4"]
    settings = {
        "usual": {},
        "told": {"scrape_protocols": TOLD.split(", ")},
        "text": {"scrape_protocols": text},
        "kept": {"scrape_protocols": text, KEEP: True},
    }
    with answering(default_ages()) as address:
        jobs = [
            job(address, name, convert_classic_histograms_to_nhcb=True, **more)
            for name, more in settings.items()
        ]
        with scraping(*jobs, program=PROGRAM) as scraped:
            scraped.wait_for("count(up == 1)", lambda found: found == [({}, len(jobs))])
            yield scraped


class TestNativeHistogramsOfClassicOnes:
    def test_text_alone_loses_the_age_buckets_and_what_the_guide_tells_keeps_them(
        self, converting: Prometheus
    ):
        found = {labels["job"]: value for labels, value in converting.query(f"count by (job) ({BUCKETS})")}
        assert found == dict.fromkeys(("usual", "told", "kept"), len(CALLED) + 1)

    def test_the_count_of_all_stays(self, converting: Prometheus):
        found = converting.query("count by (job) (mpu_upload_age_seconds_gcount)")
        assert {labels["job"] for labels, _ in found} == {"usual", "told", "kept", "text"}

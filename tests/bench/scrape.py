"""What a scrape costs with 2,000 buckets on the board."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import fresh
from bench.builds import TODAY, Build, Builds
from bench.measure import alternate, ratio
from bench.verdict import Row, at_most, figure, median_figure, verdict

NOT_SLOWER = 1.1
"""Two processes of one and the same build differ by so much."""


def scrape_2000_buckets(rounds: int, builds: Builds) -> Row:
    """Compare the CPU of a scrape with that of an older build, and show that of rendering everything anew."""
    older = builds.older(TODAY)
    with TemporaryDirectory() as folder:
        output = Path(folder) / "scrape.json"

        def scrape(build: Build) -> dict[str, float]:
            fresh.run(build.script("scrapeonce.py"), output, fresh.ENVIRONMENT)
            return json.loads(output.read_text(encoding="utf-8"))

        mine, before = alternate(rounds, lambda: scrape(builds.present), lambda: scrape(older))
    ms, ms_before = ([report["ms"] for report in side] for side in (mine, before))
    check = at_most("times the older build's CPU", ratio(ms, ms_before), NOT_SLOWER)
    sizes = {name: figure(mine[0][name]) for name in ("lines", "bytes", "gzip_bytes")}
    anew = {"ms": median_figure([report["all_ms"] for report in mine])}
    sides = {"ours": {"ms": median_figure(ms)}, "baseline": {"ms": median_figure(ms_before)}}
    return verdict([check], **sides, rendered_anew=anew, **sizes)

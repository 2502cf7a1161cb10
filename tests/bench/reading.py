"""Reading one page of answers, without asking for it, against an older build."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import fresh
from bench.builds import TODAY, Build, Builds
from bench.measure import alternate, ratio
from bench.verdict import Row, at_least, figure, median_figure, verdict


def read_3_parts(rounds: int, builds: Builds) -> Row:
    """Compare a page of 3 parts."""
    return _compared(rounds, builds, "parts", 3, faster=5)


def read_1000_parts(rounds: int, builds: Builds) -> Row:
    """Compare a page of 1,000 parts."""
    return _compared(rounds, builds, "parts", 1000, faster=4)


def read_1000_uploads(rounds: int, builds: Builds) -> Row:
    """Compare a page of 1,000 uploads."""
    return _compared(rounds, builds, "uploads", 1000, faster=3)


def _compared(rounds: int, builds: Builds, what: str, items: int, *, faster: float) -> Row:
    older = builds.older(TODAY)
    with TemporaryDirectory() as folder:
        output = Path(folder) / "read.json"

        def read(build: Build) -> float:
            command = build.script("readonce.py", what, str(items))
            fresh.run(command, output, fresh.ENVIRONMENT)
            return json.loads(output.read_text(encoding="utf-8"))["us"]

        mine, before = alternate(rounds, lambda: read(builds.present), lambda: read(older))
    check = at_least("times less CPU", ratio(before, mine), faster)
    sides = {"ours": {"us": median_figure(mine)}, "baseline": {"us": median_figure(before)}}
    return verdict([check], **sides, us_per_item=figure(median_figure(mine) / items))

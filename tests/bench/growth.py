"""How the time of a scan grows with the bucket: ten times the uploads, about ten times as long."""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise

from bench import nginx
from bench.measure import Cost, cost, take_turns
from bench.ours import calm, ours, target
from bench.pages import Bucket
from bench.verdict import Check, Row, at_most, figure, verdict

LIMIT = 12.0


def growth(rounds: int) -> Row:
    """Compare scans of buckets tenfold apart: first only listed, then each upload's 3 parts, too."""
    listed = _seconds(rounds, "never", [10_000, 100_000, 1_000_000])
    sized = _seconds(rounds, "always", [1_000, 10_000, 100_000])
    checks = [*_checks("listed", listed), *_checks("sized", sized)]
    return verdict(checks, listed_s=_shown(listed), sized_s=_shown(sized))


def _seconds(rounds: int, parts: str, uploads: list[int]) -> dict[int, float]:
    buckets = [Bucket(f"of-{number}", number, 3) for number in uploads]
    with nginx.serving(*buckets) as server, ExitStack() as opened:
        sides = [_side(opened, server, bucket, parts) for bucket in buckets]
        costs = take_turns(rounds, *sides)
    return {number: cost.wall for number, cost in zip(uploads, costs, strict=True)}


def _side(opened: ExitStack, server: nginx.Nginx, bucket: Bucket, parts: str) -> Callable[[], Cost]:
    scan = target(server.url, bucket.name, parts=parts)
    exporter = opened.enter_context(ours(server.folder, scan))
    return lambda: cost(lambda: exporter.scan(bucket), around=calm)


def _checks(what: str, seconds: dict[int, float]) -> list[Check]:
    return [
        at_most(
            f"{what}: {more} uploads take so many times as long as {less}",
            seconds[more] / seconds[less],
            LIMIT,
        )
        for less, more in pairwise(seconds)
    ]


def _shown(seconds: dict[int, float]) -> dict[str, float]:
    return {str(number): figure(value) for number, value in seconds.items()}

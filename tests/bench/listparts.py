"""What one ListParts costs: our whole way from listing to summary against a paginator's bare calls."""

from bench import nginx, plain
from bench.measure import Cost, cost, take_turns
from bench.ours import ours, target
from bench.pages import Bucket, names
from bench.verdict import Row, against_server, at_least

IN_FLIGHT = 16


def listparts_3_cpu(rounds: int) -> Row:
    """Compare the CPU of a call of 3 parts; the paginator runs on one thread, where it is cheapest."""
    costs = _measure(rounds, Bucket("media", 4000, 3), baseline_calls=250, threads=1)
    return against_server([at_least("times less CPU", _times_less_cpu(costs), 15)], *costs, parts=3)


def listparts_3_rate(rounds: int) -> Row:
    """Compare the calls of 3 parts a second, 16 in flight against 16 threads."""
    costs = _measure(rounds, Bucket("media", 8000, 3), baseline_calls=800, threads=IN_FLIGHT)
    times = costs[0].rate / costs[1].rate
    return against_server([at_least("times more calls a second", times, 10)], *costs, parts=3)


def listparts_1000_cpu(rounds: int) -> Row:
    """Compare the CPU of a page of 1,000 parts."""
    costs = _measure(rounds, Bucket("media", 200, 1000), baseline_calls=10, threads=1)
    return against_server([at_least("times less CPU", _times_less_cpu(costs), 20)], *costs, parts=1000)


def _measure(rounds: int, bucket: Bucket, *, baseline_calls: int, threads: int) -> list[Cost]:
    """Return the costs of a call: ours, the baseline's, the server's."""
    asked = list(names(baseline_calls))
    with nginx.serving(bucket) as server:
        s3 = plain.client(server.url, threads)
        with ours(server.folder, target(server.url, bucket.name, concurrency=IN_FLIGHT)) as exporter:
            return take_turns(
                rounds,
                lambda: cost(lambda: exporter.scan(bucket), bucket.uploads),
                lambda: cost(lambda: plain.size(s3, bucket, asked, threads), baseline_calls),
                lambda: server.parts(bucket, IN_FLIGHT),
            )


def _times_less_cpu(costs: list[Cost]) -> float:
    return costs[1].cpu / costs[0].cpu

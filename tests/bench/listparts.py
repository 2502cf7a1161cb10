"""What one ListParts costs, from the listing to the sum: our whole way against a paginator's loop."""

from dataclasses import replace

from bench import nginx, plain
from bench.measure import Cost, cost, take_turns
from bench.ours import calm, ours, target
from bench.pages import Bucket
from bench.verdict import Row, against_server, at_least

IN_FLIGHT = 16
DEFAULT_IN_FLIGHT = 32
"""Of `scan.concurrency`."""


def listparts_3_cpu(rounds: int) -> Row:
    """Compare the CPU of a call of 3 parts; the paginator runs on one thread, where it is cheapest."""
    many = Bucket("media", 4000, 3)
    costs = _measure(rounds, many, baseline_calls=250, threads=1, in_flight=DEFAULT_IN_FLIGHT)
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


def _measure(
    rounds: int, bucket: Bucket, *, baseline_calls: int, threads: int, in_flight: int = IN_FLIGHT
) -> list[Cost]:
    """Return the costs of a call, the listing of its upload included: ours, the baseline's, the server's."""
    few = replace(bucket, name="few", uploads=baseline_calls)
    with nginx.serving(bucket, few) as server:
        s3 = plain.client(server.url, threads)
        with ours(server.folder, target(server.url, bucket.name, concurrency=in_flight)) as exporter:
            return take_turns(
                rounds,
                lambda: cost(lambda: exporter.scan(bucket), bucket.uploads, calm),
                lambda: cost(lambda: plain.scan(s3, few, threads), few.uploads),
                lambda: server.parts(bucket, in_flight),
            )


def _times_less_cpu(costs: list[Cost]) -> float:
    return costs[1].cpu / costs[0].cpu

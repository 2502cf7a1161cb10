"""A server whose every answer, listing pages too, comes 30 ms late: how near is a scan to the ideal?"""

from bench import nginx
from bench.measure import cost, take_turns
from bench.ours import calm, ours, target
from bench.pages import Bucket
from bench.verdict import Row, at_most, figure, verdict

IN_FLIGHT = 128
LIMIT = 1.3


def latency_30ms(rounds: int) -> Row:
    """Compare the time of a scan with that of as many slots, each busy all the time.

    nginx adds to the 30 ms; the row says how long wrk takes for as many answers, which a scan cannot beat.
    """
    bucket = Bucket(nginx.LATE, 20_000, 3)
    ideal = bucket.uploads / IN_FLIGHT * nginx.LATE_SECONDS
    with nginx.serving(bucket) as server:
        scan = target(server.url, bucket.name, concurrency=IN_FLIGHT)
        with ours(server.folder, scan) as exporter:
            mine, wrk = take_turns(
                rounds,
                lambda: cost(lambda: exporter.scan(bucket), around=calm),
                lambda: server.parts(bucket, IN_FLIGHT),
            )
    within = at_most("times the ideal time", mine.wall / ideal, LIMIT)
    sides = {"ours": {"wall_s": figure(mine.wall), "cpu_s": figure(mine.cpu)}, "baseline": {"ideal_s": ideal}}
    return verdict([within], **sides, wrk_s=figure(wrk.wall * bucket.uploads))

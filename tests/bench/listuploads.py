"""What a page of 1,000 uploads costs: our whole way to the summary against a paginator's loop."""

from bench import nginx, plain
from bench.measure import cost, take_turns
from bench.ours import calm, ours, target
from bench.pages import PAGE, Bucket
from bench.verdict import Row, against_server, at_least


def listuploads_1000_cpu(rounds: int) -> Row:
    """Compare the CPU of a page, one page after the other."""
    many, few = Bucket("many", 50 * PAGE), Bucket("few", 5 * PAGE)
    with nginx.serving(many, few) as server:
        s3 = plain.client(server.url)
        with ours(server.folder, target(server.url, many.name, parts="never")) as exporter:
            mine, baseline, fastest = take_turns(
                rounds,
                lambda: cost(lambda: exporter.scan(many), many.uploads // PAGE, calm),
                lambda: cost(lambda: plain.list_uploads(s3, few), few.uploads // PAGE),
                lambda: server.uploads(many, connections=1),
            )
    less_cpu = at_least("times less CPU", baseline.cpu / mine.cpu, 10)
    return against_server([less_cpu], mine, baseline, fastest, uploads=PAGE)

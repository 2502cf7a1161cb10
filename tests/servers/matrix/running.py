"""A running exporter on a server of the matrix, read by its metrics."""

import time
from collections.abc import Iterable

from servers import wait_until
from servers.exporter import Exporter
from servers.matrix.exporter import Said

_DONE = "mpu_scan_last_success_timestamp_seconds"
_TOOK = "mpu_scan_duration_seconds"


def next_scan(exporter: Exporter, buckets: Iterable[str]) -> dict[str, Said]:
    """Return what its metrics say of each bucket once a scan of it has ended that began after this call."""
    failed, began = _failures(exporter), time.time()
    names = list(buckets)

    def tried() -> bool:
        samples = exporter.samples()
        last = [samples.get((_DONE, name), 0) - samples.get((_TOOK, name), 0) for name in names]
        return all(each >= began for each in last) or _failures(exporter) - failed > 2 * len(names)

    wait_until("a scan", tried, seconds=60, log=exporter.log)
    samples = exporter.samples()
    return {bucket: _said(exporter, samples, bucket) for bucket in names}


def _said(exporter: Exporter, samples: dict[tuple[str, str], float], bucket: str) -> Said:
    if samples["mpu_scan_success", bucket] == 0:
        return Said(failed=exporter.reason(bucket) or "no reason")
    kinds = ("unsized", "undated", "unlisted", "denied")
    counts = {kind: samples.get((f"mpu_{kind}_uploads", bucket), 0) for kind in kinds}
    told = [f"{kind} {count:.0f}" for kind, count in counts.items() if count]
    if samples["mpu_scan_complete", bucket] == 0:
        told.append("incomplete")
    return Said(
        uploads=int(samples["mpu_uploads_in_progress", bucket]),
        parts=_whole(samples.get(("mpu_pending_parts", bucket))),
        bytes=_whole(samples.get(("mpu_pending_bytes", bucket))),
        oldest=samples.get(("mpu_oldest_initiated_timestamp_seconds", bucket)),
        told=tuple(told),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _failures(exporter: Exporter) -> int:
    """Return how many scans have failed."""
    lines = exporter.text().splitlines()
    return int(
        sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("mpu_scan_failures_total{"))
    )

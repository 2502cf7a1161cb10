"""Several shards on one Ceph with 50 buckets: together what one process shows, and never more."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from servers import need
from servers.exporter import serving
from servers.fill import fill
from servers.prometheus import Prometheus, scraping
from servers.shards import STATE, Fleet, Values, fleet, looking, merged, sums, values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from servers.ceph import Ceph
    from servers.prometheus import Series

RULES = Path(__file__).parents[2] / "helm/rules/prometheus.yml"
SHARDS, MORE = 3, 4
PATIENCE = 120
REDUCED = "max without (instance, pod, container, endpoint)"
MISSING = (
    f"{REDUCED} (mpu_shards) - count without (ordinal) "
    '(count_values without (instance, pod, container, endpoint) ("ordinal", mpu_shard_ordinal))'
)


@dataclass(frozen=True)
class World:
    """The config that all shards have, and what its buckets hold."""

    config: Mapping[str, object]
    truth: Values

    @property
    def buckets(self) -> set[tuple[str, str]]:
        return {key[1:] for key in self.truth}

    @property
    def stale(self) -> int:
        """How many buckets have stale uploads."""
        return sum(name == "mpu_stale_uploads" and value > 0 for (name, *_), value in self.truth.items())


def only(*wanted: float) -> Callable[[Series], bool]:
    """Return what says whether a query has these values and no other."""
    return lambda found: [value for _, value in found] == list(wanted)


def shape(n: int) -> Mapping[int, int]:
    return {1: 1 + n} if n % 3 else {}


@pytest.fixture(scope="module")
def world(ceph: Ceph) -> World:
    """Give 50 buckets with up to 3 uploads, half of them listed in the config, half to be found."""
    mark, client = uuid.uuid4().hex[:8], ceph.client()
    names = {kind: [f"{kind}-{mark}-{n}" for n in range(25)] for kind in ("listed", "found")}
    truth: Values = {}

    def make(place: tuple[str, str, int]) -> None:
        target, bucket, n = place
        client.create_bucket(Bucket=bucket)
        made = fill(client, bucket, [f"key-{i}" for i in range(n % 4)], shape) if n % 4 else []
        size, parts = sum(each.size_bytes for each in made), sum(len(each.parts) for each in made)
        found = (len(made), size, parts, len(made), size, sum(not each.parts for each in made))
        truth.update({(name, target, bucket): value for name, value in zip(STATE, found, strict=True)})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, [(kind, name, n) for kind in names for n, name in enumerate(names[kind])]))
    common = {
        "store": "s3",
        "region": "us-east-1",
        "addressing_style": "path",
        "endpoint_url": ceph.endpoint_url,
        "stale_after": "1s",
        "credentials": {"access_key_id": ceph.mpu.access_key, "secret_access_key": ceph.mpu.secret_key},
    }
    targets = [
        {"name": "listed", "buckets": names["listed"], **common},
        {"name": "found", "discover": {"include": [f"^found-{mark}-"]}, **common},
    ]
    return World({"scan": {"interval": "2s"}, "targets": targets}, truth)


@pytest.fixture
def shards(world: World, tmp_path: Path) -> Iterator[Fleet]:
    """Give three shards that are ready and show the truth, and room for one more."""
    with fleet(tmp_path, world.config, MORE) as started:
        started.start(SHARDS, *range(SHARDS))
        wait_for_truth(started, world)
        yield started


def wait_for_truth(shards: Fleet, world: World) -> dict[int, Values]:
    """Wait until the shards together show the truth (young uploads are not stale yet), each bucket once."""
    deadline = time.monotonic() + 60
    while merged(list((found := shards.values()).values())) != world.truth and time.monotonic() < deadline:
        time.sleep(0.1)
    assert merged(list(found.values())) == world.truth
    assert sum(map(len, found.values())) == len(world.truth)
    return found


def groups() -> list[dict[str, Any]]:
    """Return the rules that come with the chart, but for how long two of them wait before they fire."""
    made = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in made[0]["rules"]:
        if rule["alert"] in {"MpuStaleUploads", "MpuShardMissing"}:
            rule["for"] = "1s"
    return made


@contextmanager
def judged(shards: Fleet, world: World) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes the shards, and yield it when all stale uploads have their alert.

    In the end none of these has ever resolved, and no sum was ever above the truth.
    """
    need("prometheus")
    places = [f"127.0.0.1:{port}" for port in shards.ports]
    job = {"job_name": "mpu-exporter", "static_configs": [{"targets": places}]}
    with scraping(job, groups=groups()) as prometheus:
        firing = 'count(ALERTS{alertname="MpuStaleUploads", alertstate="firing"})'
        prometheus.wait_for(firing, only(world.stale), PATIENCE)
        start = time.time()
        yield prometheus
        end = time.time()
        assert set(prometheus.history(firing, start, end)) == {world.stale}
        most = sums(world.truth)
        for name in STATE:
            told = prometheus.history(f"sum({REDUCED} ({name}))", start, end)
            assert max(told) == most[name], name


def assert_never_more(seen: list[Values], world: World) -> None:
    """Check that whatever was seen of a bucket was its truth, and that something was missing at times."""
    most = sums(world.truth)
    assert [each for each in seen if not each.items() <= world.truth.items()] == []
    assert [name for each in seen for name, total in sums(each).items() if total > most[name]] == []
    assert min(map(len, seen)) < len(world.truth)


def owners(found: Mapping[int, Values]) -> dict[tuple[str, str], int]:
    """Return which shard has a bucket, having checked that no other has it."""
    pairs = [(key[1:], ordinal) for ordinal, part in found.items() for key in part]
    assert len({bucket for bucket, _ in pairs}) == len(set(pairs))
    return dict(pairs)


def test_together_they_show_what_one_process_shows(world: World, shards: Fleet, tmp_path: Path):
    alone = tmp_path / "alone"
    alone.mkdir()
    with serving(alone, world.config) as unsharded:
        unsharded.wait_tried(*(bucket for _, bucket in world.buckets))
        wanted = values(unsharded.text())
        assert "\nmpu_shards 1.0\n" in unsharded.text()
    found = shards.values()
    assert wanted == merged(list(found.values())) == world.truth
    assert owners(found).keys() == world.buckets
    assert set(owners(found).values()) == {0, 1, 2}
    for target in ("listed", "found"):
        line = f'\nmpu_target_buckets{{target="{target}"}} '
        told = [int(float(each.text().partition(line)[2].split()[0])) for each in shards.running.values()]
        assert sum(told) == 25


def test_each_says_which_it_is_and_shows_its_own(shards: Fleet):
    for ordinal, exporter in shards.running.items():
        assert f"\nmpu_shard_ordinal {ordinal}.0\n" in exporter.text()
        assert "\nmpu_shards 3.0\n" in exporter.text()
        assert f"Shard {ordinal} of 3, counted from 0: " in exporter.text("/")
        data = json.loads(exporter.text("/api/v1/targets"))["data"]
        assert data["shard"] == {"ordinal": ordinal, "total": 3}
        own = {(each["name"], b["name"]) for each in data["targets"] for b in each["buckets"]}
        assert own == owners({ordinal: values(exporter.text())}).keys()
        assert f'are not watched here" ordinal={ordinal} total=3' in exporter.log.read_text()


def test_while_one_is_gone_sums_are_too_low_and_the_alert_says_which(world: World, shards: Fleet):
    before, size = owners(shards.values()), sums(world.truth)["mpu_pending_bytes"]
    with judged(shards, world) as prometheus, looking(shards) as seen:
        prometheus.wait_for(MISSING, only(0), PATIENCE)
        shards.kill(1)
        prometheus.wait_for(MISSING, only(1), PATIENCE)
        prometheus.wait_for(
            'ALERTS{alertname="MpuShardMissing", alertstate="firing", ordinal="1"}', bool, PATIENCE
        )
        told = [alert["annotations"]["description"] for alert in prometheus.alerts("MpuShardMissing")]
        assert [text for text in told if "number 1 does not answer" in text]
        shards.start(SHARDS, 1)
        assert owners(wait_for_truth(shards, world)) == before
        prometheus.wait_for(f"sum({REDUCED} (mpu_pending_bytes))", only(size), PATIENCE)
        prometheus.wait_for(MISSING, only(0), PATIENCE)
        prometheus.wait_for('ALERTS{alertname="MpuShardMissing"}', only(), PATIENCE)
    assert_never_more(seen, world)


def test_one_more_takes_buckets_over_and_nothing_is_counted_twice(world: World, shards: Fleet):
    before, size = owners(shards.values()), sums(world.truth)["mpu_pending_bytes"]
    with judged(shards, world) as prometheus, looking(shards) as seen:
        shards.start(MORE, 3)
        prometheus.wait_for(f"sum(mpu_pending_bytes) > {size}", bool, PATIENCE)  # what moved is seen twice
        for ordinal in (2, 1, 0):  # as a StatefulSet does
            shards.stop(ordinal)
            shards.start(MORE, ordinal)
        after = owners(wait_for_truth(shards, world))
        prometheus.wait_for(f"sum({REDUCED} (mpu_pending_bytes))", only(size), PATIENCE)
        prometheus.wait_for(f"{REDUCED} (mpu_shards)", only(4), PATIENCE)
        prometheus.wait_for(MISSING, only(0), PATIENCE)
    moved = {bucket: ordinal for bucket, ordinal in after.items() if before[bucket] != ordinal}
    assert set(moved.values()) == {3}
    assert set(after.values()) == {0, 1, 2, 3}
    assert_never_more(seen, world)

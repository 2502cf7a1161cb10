"""Shards: which process watches a bucket, what one more of them moves, and which one this is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.errors import UsageError
from exporter.cli.shard import choose_shard
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.config.sharding import UNSHARDED, Shard

NAMES = st.text(st.characters(exclude_categories=["Zs", "Cc"]), min_size=1, max_size=20)
TOTALS = st.integers(1, 12)
GOLDEN = {
    ("prod", "media"): (0, 0, 0, 4, 83),
    ("prod", "backups"): (0, 1, 1, 3, 37),
    ("huawei", "media-eu"): (0, 0, 0, 0, 24),
    ("archive", "tapes"): (0, 1, 1, 1, 35),
    ("ü", "日本語"): (0, 1, 1, 1, 59),
    ("prod", "arn:aws:s3:eu-west-1:111122223333:accesspoint/uploads"): (0, 1, 1, 1, 33),
}
"""By target and bucket: whose it is of 1, 2, 3, 5 and 100 shards."""


def owners(total: int, target: str, bucket: str) -> list[int]:
    return [ordinal for ordinal in range(total) if Shard(total, ordinal).owns(target, bucket)]


class TestOwns:
    @given(TOTALS, NAMES, NAMES)
    def test_a_bucket_is_of_exactly_one_shard(self, total: int, target: str, bucket: str):
        assert len(owners(total, target, bucket)) == 1

    @given(TOTALS, NAMES, NAMES)
    def test_one_shard_more_takes_a_bucket_or_leaves_it_where_it_is(
        self, total: int, target: str, bucket: str
    ):
        before, after = owners(total, target, bucket), owners(total + 1, target, bucket)
        assert after in (before, [total])

    @pytest.mark.no_cover
    @pytest.mark.slow
    @pytest.mark.parametrize("total", [2, 3, 10])
    def test_each_has_about_as_many_of_10_000_buckets(self, total: int):
        found = Counter(owners(total, f"t{n % 40}", f"bucket-{n}")[0] for n in range(10_000))
        share = 10_000 / total
        assert set(found) == set(range(total))
        assert max(abs(count - share) for count in found.values()) < 0.06 * share

    @pytest.mark.no_cover
    @pytest.mark.slow
    @pytest.mark.parametrize("total", [1, 3, 9])
    def test_one_shard_more_takes_no_more_than_its_share_of_10_000_buckets(self, total: int):
        names = [f"bucket-{n}" for n in range(10_000)]
        moved = sum(owners(total, "prod", name) != owners(total + 1, "prod", name) for name in names)
        assert abs(moved - 10_000 / (total + 1)) < 0.06 * 10_000 / (total + 1)

    @pytest.mark.parametrize("names", GOLDEN)
    def test_no_version_may_ever_give_a_bucket_to_another_shard(self, names: tuple[str, str]):
        assert GOLDEN[names] == tuple(owners(total, *names)[0] for total in (1, 2, 3, 5, 100))

    @pytest.mark.parametrize("seed", ["1", "2"])
    def test_every_process_says_the_same(self, seed: str):
        code = (
            "from exporter.config.sharding import Shard\n"
            "print([n for n in range(200) if Shard(3, 1).owns('prod', str(n))], end='')"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        assert done.stdout == str([n for n in range(200) if Shard(3, 1).owns("prod", str(n))])


class TestOwnPart:
    def target(self, **settings: object) -> TargetSettings:
        buckets = tuple(BucketSettings(f"bucket-{n}") for n in range(30))
        return TargetSettings("prod", StoreKind.S3, buckets, **settings)

    def test_the_shards_have_all_buckets_between_them_in_the_config_s_order(self):
        whole = self.target()
        parts = [Shard(3, ordinal).own_part(whole).buckets for ordinal in range(3)]
        assert sorted(sum(parts, ()), key=whole.buckets.index) == list(whole.buckets)
        assert [sorted(part, key=whole.buckets.index) for part in parts] == [list(part) for part in parts]

    def test_where_and_as_whom_they_are_asked_about_moves_no_bucket(self):
        moved = self.target(endpoint_url="https://new.example.com", region="eu-west-9")
        assert Shard(3, 1).own_part(moved).buckets == Shard(3, 1).own_part(self.target()).buckets

    def test_the_only_shard_has_all(self):
        assert UNSHARDED.own_part(self.target()) == self.target()


class TestChoice:
    @pytest.mark.parametrize(
        ("total", "ordinal", "pod_name", "host_name", "expected"),
        [
            (1, None, "", "laptop", Shard(1, 0)),
            (1, None, "mpu-7", "mpu-7", Shard(1, 0)),
            (1, 0, "", "", Shard(1, 0)),
            (3, 2, "mpu-0", "mpu-0", Shard(3, 2)),
            (3, None, "mpu-exporter-2", "node-1", Shard(3, 2)),
            (12, None, "", "mpu-exporter-11", Shard(12, 11)),
            (1000, 999, "", "", Shard(1000, 999)),
            (3, None, "", "mpu-1.mpu.monitoring.svc.cluster.local", Shard(3, 1)),
            (3, None, "team.mpu-1", "", Shard(3, 1)),
        ],
    )
    def test_it_is_the_one_named_or_that_of_the_pod_s_name(
        self, total: int, ordinal: int | None, pod_name: str, host_name: str, expected: Shard
    ):
        assert expected == choose_shard(total, ordinal, pod_name, host_name)

    @pytest.mark.parametrize(
        ("total", "ordinal", "pod_name", "host_name", "told"),
        [
            (0, None, "", "mpu-0", "--shard.total: must be 1 to 1000, not 0"),
            (1001, 0, "", "", "--shard.total: must be 1 to 1000, not 1001"),
            (3, 3, "mpu-0", "", "--shard.ordinal: 3 has to be less than --shard.total, which is 3: "),
            (1, 1, "", "", "--shard.ordinal: 1 has to be less than --shard.total, which is 1: "),
            (3, None, "mpu-3", "", "$POD_NAME 'mpu-3': 3 has to be less than --shard.total, which is 3"),
            (3, None, "mpu-5", "", ".spec.ordinals.start"),
            (3, None, "", "node-9", "the host name 'node-9': 9 has to be less than --shard.total"),
            (
                3,
                None,
                "mpu-6d8f9c-x2x4z",
                "mpu-0",
                "$POD_NAME 'mpu-6d8f9c-x2x4z': does not end with - and a ",
            ),
            (3, None, "", "laptop", "the host name 'laptop': does not end with - and a number"),
            (3, None, "", "mpu1", "say with --shard.ordinal which shard this is, 0 for the first"),
            (3, None, "", "", "the host name '': does not end with"),
        ],
    )
    def test_what_makes_no_sense_says_where_it_came_from_and_what_to_do(
        self, total: int, ordinal: int | None, pod_name: str, host_name: str, told: str
    ):
        with pytest.raises(UsageError) as caught:
            choose_shard(total, ordinal, pod_name, host_name)
        assert told in str(caught.value)

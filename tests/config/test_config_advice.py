"""What a valid config says that is likely meant otherwise: told, and no fault."""

from pathlib import Path

import pytest
import yaml

from exporter.config.advice import find_advice
from exporter.config.cleanup import CleanupSettings
from exporter.config.load import load
from exporter.config.settings import BucketSettings, Settings, StoreKind, TargetSettings
from exporter.config.target_sections import DiscoverSettings

NAMES = ("media", "logs", "my.dotted.bucket", "Upper")


def advice(*urls: str, style: str = "auto") -> list[str]:
    buckets = tuple(map(BucketSettings, NAMES))
    one = {"endpoint_url": urls[0]} if len(urls) == 1 else {"endpoint_urls": urls}
    one["addressing_style"] = style
    good = TargetSettings("good", StoreKind.S3, buckets)
    return list(find_advice(Settings(targets=(good, TargetSettings("prod", StoreKind.S3, buckets, **one)))))


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://h:8333/media", "has the name of the bucket media in its path"),
        ("http://h:8333/media/", "has the name of the bucket media in its path"),
        ("http://h:9000/media/db/", "has the name of the bucket media in its path"),
        ("http://h:9000/%6dedia", "has the name of the bucket media in its path"),
        (
            "https://media.bucket.vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com",
            "begins with the name of the bucket media",
        ),
        ("https://h/s3/logs", "has the name of the bucket logs in its path"),
        ("https://media.s3.eu-west-1.amazonaws.com", "begins with the name of the bucket media"),
        ("https://logs.obs.eu-west-101.myhuaweicloud.eu", "begins with the name of the bucket logs"),
        ("https://media.minio.example.com:9000", "begins with the name of the bucket media"),
        ("https://media.fra1.digitaloceanspaces.com", "begins with the name of the bucket media"),
        (
            "https://my.dotted.bucket.s3.eu-west-1.amazonaws.com",
            "begins with the name of the bucket my.dotted",
        ),
        ("https://upper.rgw.example.com", "begins with the name of the bucket Upper"),
        ("http://h/UPPER", "has the name of the bucket Upper in its path"),
    ],
)
def test_a_url_that_names_the_bucket_already_is_told(url: str, where: str):
    [text] = advice(url)
    assert text.startswith(f"targets[1].endpoint_url: {where}")


@pytest.mark.parametrize(
    "url",
    [
        *("http://h:8333", "http://h:8333/", "http://h:8333/s3", "http://media:9000"),
        *("https://media.example.com", "https://s3.media.example.com", "https://mediastore.s3.example.com"),
        *("https://bucket.s3.example.com", "https://media", "https://s3.eu-west-1.wasabisys.com"),
    ],
)
def test_other_urls_are_not(url: str):
    assert advice(url) == []


@pytest.mark.parametrize("style", ["auto", "path", "virtual"])
def test_a_path_is_told_in_each_style(style: str):
    assert len(advice("http://h:8333/media", style=style)) == 1


@pytest.mark.parametrize(("style", "told"), [("auto", 0), ("path", 0), ("virtual", 1)])
def test_a_host_of_any_name_is_told_where_the_bucket_is_put_before_it(style: str, told: int):
    assert len(advice("https://media.example.com", style=style)) == told


def test_of_several_nodes_each_is_looked_at():
    told = advice("http://a:1/media", "http://b:1", "http://c:1/logs")
    assert [text.partition(" the name")[0] for text in told] == ["targets[1].endpoint_urls: has"] * 2


CLEANUP = CleanupSettings("store", 86400.0)


@pytest.mark.parametrize(
    ("stale_after", "own", "told"),
    [
        (86399.0, 86399.0, []),
        (
            *(86399.0, 172800.0),
            [
                (
                    "targets[0].cleanup.after: the store removes uploads after 1d 0h, so that with "
                    "stale_after of 2d 0h none is ever stale: set stale_after below it"
                )
            ],
        ),
    ],
)
def test_a_store_that_cleans_up_before_anything_is_stale_is_told(
    stale_after: float, own: float, told: list[str]
):
    buckets = BucketSettings("media", stale_after=stale_after), BucketSettings("logs", stale_after=own)
    target = TargetSettings("minio", StoreKind.S3, buckets, stale_after=stale_after, cleanup=CLEANUP)
    assert told == list(find_advice(Settings(targets=(target,))))


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{stale_after: 6d}", []),
        (
            "{stale_after: 8d}",
            [
                (
                    "targets[0].stale_after: is 8d 0h, and azure removes uploads by itself after 7d 0h, so "
                    "that none is ever stale: set it below that"
                )
            ],
        ),
        (
            "{cleanup: {by: store, after: 1d}, stale_after: 2d}",
            [
                (
                    "targets[0].cleanup.after: the store removes uploads after 1d 0h, so that with "
                    "stale_after of 2d 0h none is ever stale: set stale_after below it"
                )
            ],
        ),
    ],
)
def test_what_azure_does_by_itself_is_not_told_as_a_setting(tmp_path: Path, written: str, told: list[str]):
    file = tmp_path / "config.yaml"
    azure = {"name": "az", "store": "azure", "account": "media1", "containers": ["a"]}
    file.write_text(yaml.safe_dump({"targets": [azure | yaml.safe_load(written)]}))
    assert told == list(find_advice(load(file, {})))


def test_where_buckets_are_discovered_the_target_s_own_time_is_looked_at():
    target = TargetSettings("minio", StoreKind.S3, discover=DiscoverSettings(), cleanup=CLEANUP)
    [text] = find_advice(Settings(targets=(target,)))
    assert "with stale_after of 7d 0h none" in text

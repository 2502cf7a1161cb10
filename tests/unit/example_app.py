"""A board with targets, settings and turns, as pages and API show it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fakes import NOW
from hostile import MALICIOUS_KEYS
from unit.example_board import AGES, HOSTILE, SUMMARY, ExampleBoard

from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.config.target_sections import Prices
from exporter.model.cost import PriceList
from exporter.model.errors import Failure, Reason
from exporter.model.results import ScanResult
from exporter.model.targets import (
    Discovery,
    DroppedBucket,
    ScanRequest,
    ScanTimes,
    Selection,
    TargetStatus,
    UnknownNameError,
)
from exporter.model.top_uploads import TopUploads
from exporter.model.uploads import CountedUpload, Upload
from exporter.state.board import Entry
from exporter.web.app import App

if TYPE_CHECKING:
    from collections.abc import Collection

PRICE_LIST = PriceList(Prices("USD", 0.023))
DROPPED = (
    DroppedBucket("tmp", "no pattern of discover.include finds it"),
    DroppedBucket(HOSTILE, "discover.exclude: ^a"),
)
FAILURE = "ListMultipartUploads: AccessDenied: User is not authorized to perform this action"


def found(key: str, number: int = 1, **known: object) -> CountedUpload:
    """Return an upload `number` hours old, with as many parts of a MiB."""
    upload = Upload(key, f"id-{number}", NOW - 3600.0 * number, "STANDARD", "arn:aws:iam::1:user/ci")
    return CountedUpload(upload, NOW - 1800.0 * number, number, number << 20, "STANDARD")._replace(**known)


def worst(*uploads: CountedUpload, limit: int = 100) -> TopUploads:
    kept = TopUploads(limit)
    for upload in uploads:
        kept.add(upload)
    return kept


class ExampleApp:
    """An application with 3 buckets of `prod` and one of `archive`: ok, incomplete, failing, waiting."""

    def __init__(self, keys: list[str] | None = None, *, uploads: bool = True) -> None:
        keys = MALICIOUS_KEYS if keys is None else keys
        prod, archive = ("media", "backups", "logs"), ("tapes",)
        drawn = ExampleBoard()
        self.board = drawn.board
        self.board.declare(
            [
                *(Entry("prod", name, "s3", 86400.0, AGES, price_list=PRICE_LIST) for name in prod),
                *(Entry("archive", name, "glacier", 86400.0, AGES) for name in archive),
            ]
        )
        kept = worst(*(found(key, number + 1) for number, key in enumerate(keys)))
        complete = replace(SUMMARY, unsized=0)
        for name, summary in (("media", complete), ("backups", SUMMARY), ("logs", complete)):
            trouble = "ListParts: AccessDenied" if summary.unsized else ""
            result = ScanResult(summary, NOW, 1.25, trouble, kept if name == "media" else worst())
            self.board.publish(("prod", name), result)
        self.board.fail(("prod", "logs"), Failure(Reason.ACCESS_DENIED, FAILURE), 0.5)
        self.watched = [
            TargetStatus(
                TargetSettings(
                    "prod",
                    StoreKind.S3,
                    tuple(BucketSettings(name) for name in prod),
                    region="eu-west-1",
                    endpoint_url="https://user:pass@ceph.example.com:8443/path",
                    labels=(("team", "media"),),
                ),
                tuple(BucketSettings(name) for name in prod),
                "eu-west-1",
                {
                    "media": ScanTimes(NOW + 240),
                    "backups": ScanTimes(NOW, NOW - 3),
                    "logs": ScanTimes(NOW + 10),
                },
                Discovery(success=True, last_success=NOW - 60, selection=Selection(5, 3, DROPPED)),
            ),
            TargetStatus(
                TargetSettings("archive", StoreKind.GLACIER, (BucketSettings("tapes"),)),
                (BucketSettings("tapes"),),
            ),
        ]
        self.reloads: list[list[str]] = []
        self.scans: list[tuple[list[str], list[str]]] = []
        self.problems: list[str] = []
        self.app = App(
            self.board,
            drawn.text,
            drawn.openmetrics,
            lambda: True,
            targets=lambda: self.watched,
            reload=self.reload,
            scan=self.scan,
            uploads=uploads,
        )

    def scan(self, targets: Collection[str], buckets: Collection[str]) -> ScanRequest:
        self.scans.append((list(targets), list(buckets)))
        if "nowhere" in targets:
            raise UnknownNameError("no such target")
        return ScanRequest(targets=2, buckets=1234, running=1, lists=0)

    def reload(self) -> list[str]:
        self.reloads.append(self.problems)
        return self.problems

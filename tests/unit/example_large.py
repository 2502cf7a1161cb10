"""A board as large and as long in its names as stores allow: what the tests of layouts and of speed show."""

from __future__ import annotations

import random
import string
from dataclasses import replace

from fakes import NOW
from unit.example_app import ExampleApp, worst
from unit.example_board import SUMMARY

from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.config.target_sections import Prices
from exporter.model.cost import PriceList
from exporter.model.errors import Failure, Reason
from exporter.model.results import ScanResult
from exporter.model.targets import ScanTimes, TargetStatus
from exporter.model.uploads import CountedUpload, Upload
from exporter.state.board import Entry

AGES = (3600.0, 21600.0, 86400.0, 259200.0, 604800.0, 2592000.0)
TIB = 2**40
TARGETS = ("production", "production_customer_uploads_eu_central_1_account_111122223333", "p" * 100)
"""Names of targets, the longest as long as a config may have it."""
_SIGNS = string.ascii_letters + string.digits + "._"
_REASON = (
    "ListMultipartUploads: AccessDenied: User: arn:aws:sts::123456789012:assumed-role/exporter/i-0123456789 "
)
_REASON += (
    "is not authorized to perform: s3:ListBucketMultipartUploads because no identity-based policy allows it"
)


class LargeApp(ExampleApp):
    """An application with many buckets: of each five one is fine, stale, incomplete, failing, not scanned.

    Every third is an access point, which has an ARN for a name; some names of buckets and targets are short.
    Each tenth has top uploads, with keys of 1,024 bytes and ids of 140 characters, as Amazon S3 has them.
    """

    def __init__(self, buckets: int, uploads: int) -> None:
        super().__init__([])
        self.chance = random.Random(17)
        names = [_name(number) for number in range(buckets)]
        prices = PriceList(Prices("USD", 0.023))
        self.board.declare(
            [
                Entry(_target(number), name, "s3", 86400.0, AGES, price_list=prices)
                for number, name in enumerate(names)
            ]
        )
        holders = max(1, buckets // 10)
        for number, name in enumerate(names):
            self._publish(number, name, uploads // holders if number % 10 == 0 else 0)
        settings = tuple(map(BucketSettings, names))
        targets = [TargetSettings(name, StoreKind.S3, settings, region="eu-west-1") for name in TARGETS]
        times = {name: ScanTimes(NOW + 1000.0 * number) for number, name in enumerate(names)}
        self.watched = [TargetStatus(each, settings, "eu-west-1", times) for each in targets]

    def _publish(self, number: int, name: str, uploads: int) -> None:
        state = number % 5
        if state == 4:
            return
        stale = 0 if state == 0 else 1_234_567
        counts = (12, 1200, 3400, 5600, 7800, 900_000, 1_234_567)
        summary = replace(
            SUMMARY,
            uploads=1_234_567,
            unsized=1_234 if state == 2 else 0,
            bytes=(number + 1) * TIB,
            stale=stale,
            stale_bytes=stale and number * TIB // 2,
            oldest_initiated=NOW - 86400.0 * (400 + number % 300),
            oldest_activity=NOW - 86400.0 * (300 + number % 100),
            age_counts=counts,
            age_bytes=tuple(TIB // 100 * self.chance.randrange(9) + TIB * place for place in range(7)),
            bytes_by_class=(("STANDARD", (number + 1) * TIB),),
        )
        top = worst(*(self._upload(each) for each in range(uploads)))
        self.board.publish((_target(number), name), ScanResult(summary, NOW, 12345.0, "", top))
        if state == 3:
            self.board.fail((_target(number), name), Failure(Reason.ACCESS_DENIED, _REASON), 0.5)

    def _upload(self, number: int) -> CountedUpload:
        age = 86400.0 * self.chance.uniform(0, 900)
        key = f"backups/{'long-name-' * 100}/{number:010}.tar.zst"
        role = f"arn:aws:sts::123456789012:assumed-role/backup-role-of-production/i-{number:017x}"
        upload = Upload(key.ljust(1024, "x"), self._word(140), NOW - age, "INTELLIGENT_TIERING", role)
        size = self.chance.randrange(5 * TIB)
        abort_at = NOW + 86400.0 if number % 2 else None
        stale = number % 3 > 0
        return CountedUpload(
            upload, NOW - age / 2, 10_000, size, "INTELLIGENT_TIERING", abort_at, stale=stale
        )

    def _word(self, length: int) -> str:
        return "".join(self.chance.choices(_SIGNS, k=length))


def _name(number: int) -> str:
    name = f"{number:04}-of-the-department-that-keeps-backups"
    if number % 4 == 2:
        return name[:15]
    return f"arn:aws:s3:eu-west-1:123456789012:accesspoint/{name}" if number % 3 == 0 else name


def _target(number: int) -> str:
    return TARGETS[number % 7 % 3]

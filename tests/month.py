"""A bucket in virtual time: uploads that begin, grow, stall, go on and end, and a store that lists them."""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fakes import BUCKET, DAY, NOW, Clock

from exporter.config.settings import ScanSettings
from exporter.model.uploads import Part, Parts, Upload
from exporter.scan.scanner import Scanner
from exporter.state.database import BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows
from exporter.stores.base import S3_OPERATIONS, ListingStart, Page, PageOperations
from exporter.stores.engine.store_client import StoreClient
from exporter.stores.pagination.part_sums import NumberedPartSum, RangedPartSum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.model.errors import StoreError
    from exporter.model.results import Summary

HOUR = 3600.0
FOREVER = float("inf")
MOST_BYTES = 10_000
"""No part is larger, so that ranges which begin so far apart never overlap."""


@dataclass(slots=True, eq=False)
class Plan:
    """All that ever happens to an upload: at each of `times` a part arrives, or is replaced."""

    upload: Upload
    begins: float
    ends: float = FOREVER
    times: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    in_order: bool = False
    """Whether no part is replaced, and none arrives before one of a lower number."""

    def __post_init__(self) -> None:
        self.in_order = self.numbers == sorted(set(self.numbers))

    def parts_at(self, now: float) -> Parts:
        """Return what a store lists then."""
        so_far = bisect_right(self.times, now)
        columns = self.numbers[:so_far], self.sizes[:so_far], self.times[:so_far]
        if self.in_order:
            return Parts(*columns)
        return Parts.of(sorted({row[0]: Part(*row) for row in zip(*columns, strict=True)}.values()))


class World:
    """The same uploads, added up event by event."""

    def __init__(self, plans: Iterable[Plan]) -> None:
        self.listed: dict[str, Plan] = {}
        self.bytes: dict[str, int] = {}
        self.newest: dict[str, float | None] = {}
        self.total = 0
        self._sizes: dict[tuple[str, int], int] = {}
        self._events: list[tuple[float, int, int, Plan]] = []
        for plan in plans:
            self._events += [(plan.begins, -1, 0, plan), (plan.ends, 1, 0, plan)]
            self._events += [(time, 0, index, plan) for index, time in enumerate(plan.times)]
        self._events.sort(key=lambda event: event[:3], reverse=True)

    def advance(self, now: float) -> list[Plan]:
        """Let happen what happens until `now`; return the uploads that ended."""
        ended = []
        while self._events and self._events[-1][0] <= now:
            _, kind, index, plan = self._events.pop()
            name = plan.upload.upload_id
            if kind < 0:
                self.listed[name], self.bytes[name], self.newest[name] = plan, 0, plan.upload.initiated
            elif kind > 0:
                del self.listed[name], self.newest[name]
                self.total -= self.bytes.pop(name)
                ended.append(plan)
            elif name in self.listed:
                self._take_part(name, plan.numbers[index], plan.sizes[index], plan.times[index])
        return ended

    def _take_part(self, name: str, number: int, size: int, time: float) -> None:
        more = size - self._sizes.get((name, number), 0)
        self._sizes[name, number] = size
        self.bytes[name] += more
        self.total += more
        self.newest[name] = time

    @property
    def oldest_initiated(self) -> float | None:
        dated = [p.upload.initiated for p in self.listed.values() if p.upload.initiated is not None]
        return min(dated, default=None)


class DirectCalls:
    """Calls that are answered as they are started."""

    listing_start = ListingStart.NOTHING

    def __init__(self, answer: Callable) -> None:
        self._answer = answer
        self._done = []

    def start(self, request, deadline, label) -> None:
        self._done.append((label, self._answer(request)))

    def completed(self, timeout):
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """Have nothing to give up."""


@dataclass
class MonthStore:
    """Lists the plans as they are now. With part times, parts have numbers; without, they are ranges."""

    plans: list[Plan]
    clock: Clock
    page_size: int = 1000
    has_part_times: bool = True
    has_initiation_times: bool = True
    lists_by_key: bool = False
    encodes_keys: bool = False
    in_columns: bool = True
    failing: dict[str, StoreError] = field(default_factory=dict)
    listing_errors: list[StoreError] = field(default_factory=list)
    """What the next calls for a later page of the listing end in."""
    hear: Callable = lambda _upload_id, _parts: None
    asked: list[str] = field(default_factory=list)
    pages: int = 0
    operations: tuple[str, ...] = ("ListMultipartUploads", "ListParts")
    page_operations: PageOperations = S3_OPERATIONS
    signing_region: str = "nowhere-1"
    _listed: list[Upload] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._plans = {plan.upload.upload_id: plan for plan in self.plans}

    @property
    def requests(self) -> int:
        return self.pages + len(self.asked)

    def open(self, bucket, deadline) -> DirectCalls:
        self.asked, self.pages = [], 0
        return DirectCalls(self._answer)

    def new_part_sum(self):
        return NumberedPartSum() if self.has_part_times else RangedPartSum()

    def close(self) -> None:
        """Have nothing to close."""

    def _answer(self, ask):
        return self._list_uploads(ask.marker) if ask.upload is None else self._list_parts(ask)

    def _list_uploads(self, marker):
        self.pages += 1
        if marker is None:
            now = self.clock.wall()
            self._listed = [plan.upload for plan in self.plans if plan.begins <= now < plan.ends]
        elif self.listing_errors:
            return self.listing_errors.pop()
        start = int(marker[0]) if marker else 0
        end = start + self.page_size
        more = end < len(self._listed)
        return Page(self._listed[start:end], truncated=more, next_marker=(str(end),) if more else None)

    def _list_parts(self, ask):
        name = ask.upload.upload_id
        self.asked.append(name)
        if name in self.failing:
            return self.failing[name]
        parts = self._plans[name].parts_at(self.clock.wall())
        first = bisect_right(parts.starts, int(ask.marker[0])) if ask.marker else 0
        last = first + self.page_size
        columns = parts.starts[first:last], parts.sizes[first:last], parts.modified[first:last]
        more = last < len(parts)
        page = Parts(*columns)
        self.hear(name, page)
        marker = (str(columns[0][-1]),) if more else None
        if not self.has_part_times:
            ranges = [Part((start - 1) * MOST_BYTES, size) for start, size, _ in page]
            return Page(ranges, truncated=more, next_marker=marker)
        return Page(page if self.in_columns else list(page), truncated=more, next_marker=marker)


class Bucket:
    """Scans the plans with the real scanner and ledger, each time as much later as the interval is."""

    def __init__(self, plans: list[Plan], store: MonthStore | None = None, **settings) -> None:
        self.clock = store.clock if store else Clock()
        self.store = store or MonthStore(plans, self.clock)
        self.world = World(plans)
        self.settings = ScanSettings(
            **{"interval": HOUR / 4, "page_size": self.store.page_size, "retries": 0} | settings
        )
        self.state = StateDatabase()
        self.state.salt = b"phases of a seed"
        self.saved = 0
        self.ledger: Ledger | None = None
        self.start()

    def start(self) -> None:
        """Start the process, for the first time or again; what waits to be written is."""
        clock = self.clock
        if self.ledger:
            self.ledger.rows.flush()
        self.ledger = Ledger(LedgerRows(self.state, BucketName("t", "s3", "", "", "media")), "the same")
        self._scanner = Scanner(
            StoreClient(self.store, self.settings, clock, clock.clocks()), (DAY,), on_calls_saved=self._save
        )

    def _save(self, calls: int) -> None:
        self.saved += calls

    @property
    def now(self) -> float:
        return self.clock.wall()

    def scan(self) -> Summary:
        self.saved = 0
        return self._scanner.scan(BUCKET, self.ledger).summary

    def wait(self) -> None:
        self.clock.now += self.settings.interval

    def rows(self) -> dict[int, tuple[float, int | None]]:
        """Return when each remembered upload was asked about, and its bytes."""
        return {row[0]: row[1:] for row in self.state.read("SELECT id, asked, bytes FROM uploads")}


def plan_of(
    number: int, begins: float, ends: float = FOREVER, parts: Iterable[tuple] = (), *, dated=True
) -> Plan:
    """Return a plan; `parts` are (time, number, size), of which those count that arrive before the end."""
    upload = Upload(f"key-{number}", f"id-{number}", begins if dated else None)
    rows = sorted(row for row in parts if begins <= row[0] < ends)
    return Plan(upload, begins, ends, *([row[column] for row in rows] for column in range(3)))


def month_of(seed: int, *, crashed: int, before: int, during: int) -> list[Plan]:
    """Return a month's uploads: of a crash 20 days before, others begun before, and those begun during it."""
    rng = random.Random(seed)
    plans = []
    for number in range(crashed + before + during):
        if number < crashed:
            begins, stops = NOW - 21 * DAY, NOW - 20 * DAY
            ends = NOW + rng.uniform(5, 30) * DAY if rng.random() < 0.2 else FOREVER
            parts = [(stops - n * HOUR / 9, 9 - n, _size(rng)) for n in range(9)]
        else:
            begins = NOW + DAY * (rng.uniform(-35, 0) if number < crashed + before else rng.uniform(0, 30))
            parts = list(_bursts(rng, begins))
            last = parts[-1][0]
            ends = last + rng.uniform(0, HOUR) if rng.random() < 0.6 else last + rng.expovariate(1 / 15) * DAY
        plans.append(plan_of(number, begins, ends, parts))
    return plans


def _bursts(rng: random.Random, begins: float) -> Iterable[tuple[float, int, int]]:
    """Yield parts as an upload's client sends them, that goes on after hours or days, or never."""
    time, number = begins, 0
    for _ in range(rng.choice((1, 1, 2, 3))):
        gap = rng.uniform(60, 2400)
        for _ in range(rng.randint(1, 60)):
            time, number = time + rng.expovariate(1 / gap), number + 1
            yield time, number, _size(rng)
        time += rng.expovariate(1 / 3) * DAY


def _size(rng: random.Random) -> int:
    return rng.randint(1, MOST_BYTES)


def mixed_plans(rng: random.Random, uploads: int, days: float) -> list[Plan]:
    """Return uploads of all kinds: with gaps between their parts, with parts that are replaced, undated."""
    plans = []
    for number in range(uploads):
        begins = NOW + rng.choice((rng.uniform(-30, 0), rng.uniform(0, days))) * DAY
        ends = FOREVER if rng.random() < 0.5 else begins + rng.expovariate(1 / (1 + days)) * DAY
        step = rng.choice((1, 1, 3))
        parts = []
        for time, part, size in _bursts(rng, begins) if rng.random() < 0.9 else ():
            replaced = rng.randint(1, part) if rng.random() < 0.1 else part
            parts.append((time, replaced * step, size))
        plans.append(plan_of(number, begins, ends, parts, dated=rng.random() < 0.9))
    return plans


@dataclass
class Told:
    """What the store has told of an upload: of each part its size, its time, and when it was told last."""

    parts: dict[int, tuple[int, float, float]] = field(default_factory=dict)
    asked: float = 0.0
    activity: float | None = None
    since: float = 0.0
    """What its idle time is counted from."""
    counted: tuple[int, int] | None = None

    @property
    def bytes(self) -> int:
        return sum(size for size, _, _ in self.parts.values())

    def oldest_telling(self) -> float:
        return min((told for _, _, told in self.parts.values()), default=self.asked)

    def settle(self, upload: Upload, now: float, *, timed: bool) -> None:
        """Draw the conclusions from an answer, once it is complete."""
        counted = len(self.parts), self.bytes
        if timed or not self.parts:
            times = (modified for _, modified, _ in self.parts.values())
            self.activity = max(times, default=upload.initiated)
        elif self.counted is None:
            self.activity = upload.initiated
        elif self.counted != counted:
            self.activity = now
        was_asked = self.counted is not None
        if self.activity is not None:
            self.since = self.activity
        elif not was_asked:
            self.since = now
        self.asked, self.counted = now, counted


class Listener:
    """Keeps what a bucket's store tells."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self.told: dict[str, Told] = {}
        bucket.store.hear = self._hear

    def _hear(self, name: str, parts: Parts) -> None:
        told = self.told.setdefault(name, Told())
        for number, size, modified in parts:
            told.parts[number] = (size, modified, self._bucket.now)

    def settle(self) -> None:
        """Draw the conclusions from the answers of a scan: of one that failed, from those it came to note."""
        bucket = self._bucket
        plans = {plan.upload.upload_id: plan for plan in bucket.store.plans}
        for name in dict.fromkeys(bucket.store.asked):
            row_id = bucket.ledger.row_id(plans[name].upload)
            noted = bucket.ledger.rows.fetch([row_id]).get(row_id)
            if noted and noted.checked_at == bucket.now:
                self.told[name].settle(plans[name].upload, bucket.now, timed=bucket.store.has_part_times)

    def listed(self) -> dict[str, Told]:
        return {name: self.told[name] for name in self._bucket.world.listed if name in self.told}

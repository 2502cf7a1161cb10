"""Scans of a store that lies, and what of their numbers is wrong without a word."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from contract.liar import Liar
from contract.liar_world import Bucket, Event, InProgress
from fakes import DAY

from exporter.config.settings import BucketSettings, ScanSettings
from exporter.model.errors import StoreError
from exporter.scan.examination.hidden import NOT_ASKED, NOT_BY_KEY
from exporter.scan.scanner import Scanner
from exporter.state.database import BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows
from exporter.stores.engine.store_client import Clocks, StoreClient
from exporter.stores.multi_node import MultiNodeStore, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from exporter.model.results import ScanResult
    from exporter.model.uploads import CountedUpload
    from exporter.stores.base import Store

PLAIN_KEYS = ("a", "a/1", "a/2", "ab", "b", "c")
MANY_KEYS = tuple(f"{head}{tail}" for head in ("a", "a/", "a-", "b/c") for tail in ("", *"123456789"))
ODD_KEYS = (*PLAIN_KEYS, "b\x01x", " d ", "e\rf")
EAGER = {"recheck_factor": 0.0, "recheck_at_least": 1.0}
"""Every upload is asked about in each scan, and all its parts are read."""


@dataclass(frozen=True)
class Case:
    """A bucket, how its server lies, and how it is scanned."""

    lies: tuple[str, ...]
    events: tuple[Event, ...]
    keys: tuple[str, ...] = PLAIN_KEYS
    page_size: int | None = 2
    scans: int = 1
    prefix: str | None = None
    parts: str = "remembered"
    eager: bool = True
    remember: str = "all"
    """What outlives the time between scans: "all" as the process runs on; the "file", or "nothing".

    Scans after which nothing is kept are those of commands.
    """
    interval: float = 300.0
    nodes: bool = False
    """Whether two nodes are watched, of which each lists only its own uploads."""
    seed: int = 0


class Wrong(NamedTuple):
    """Something wrong in a scan's numbers: of an upload, or of a sum."""

    what: str
    name: str
    known: bool = False
    """Whether an earlier scan sized the upload, and is remembered."""
    scans: int = 0
    """How many earlier scans that are remembered it existed throughout."""
    earlier: int = 0
    """How many earlier scans are remembered."""
    key: str = ""


class Verdict(NamedTuple):
    """What one scan came to, and how it says that its numbers are not whole; an error where it failed."""

    wrong: tuple[Wrong, ...]
    told: tuple[str, ...]
    error: StoreError | None = None

    @property
    def silent(self) -> tuple[Wrong, ...]:
        """What is wrong without a word; unsized and overdue uploads excuse themselves, and no others."""
        itself = {"unsized ghost" if "unsized" in self.told else "", "size" if "overdue" in self.told else ""}
        if set(self.told) - {"unsized", "overdue"}:
            return ()
        return tuple(each for each in self.wrong if each.what not in itself)


def draw(chance: random.Random, lies: Sequence[str], scans: int = 4) -> Case:
    """Return a case of these lies, of at most so many scans."""
    scans = chance.randint(1, scans)
    events = [_begun(chance, 0, -1) for _ in range(chance.randint(0, 9))]
    moving = any("ended" in lie or "next" in lie or "index" in lie for lie in lies)
    events += [
        _change(chance, chance.randrange(scans), chance.choice((-1, *range(6 if moving else 14))))
        for _ in range(8 if moving else chance.choice((0, 0, 2, 8)))
    ]
    if any("restart" in lie for lie in lies):
        events.append(Event(chance.randrange(scans), chance.choice((-1, 0, 1, 2)), "restart"))
    odd = any("keys" in lie or "control" in lie for lie in lies)
    return Case(
        tuple(lies),
        tuple(events),
        keys=ODD_KEYS if odd else PLAIN_KEYS[: chance.choice((1, 2, 6, 6))],
        page_size=chance.choice((1, 2, 3, 5, None)),
        scans=scans,
        prefix=chance.choice((None, None, None, "a", "a/")),
        parts=chance.choice(("remembered", "remembered", "remembered", "always", "never")),
        eager=chance.choice((True, True, False)),
        remember=chance.choice(("all", "all", "file", "nothing")),
        interval=chance.choice((300.0, 300.0, DAY + 300.0)),
        nodes=chance.choice((False, False, False, True)),
        seed=chance.randrange(5),
    )


def draw_long(chance: random.Random, lies: Sequence[str]) -> Case:
    """Return a case whose listing is long enough to be read in segments, from the second scan on."""
    keys = len(MANY_KEYS)
    events = [_begun(chance, 0, -1, keys) for _ in range(chance.randint(20, 60))]
    events += [
        _change(chance, chance.choice((1, 1, 2)), chance.choice((-1, *range(30))), keys)
        for _ in range(chance.choice((0, 0, 4, 16)))
    ]
    return replace(
        draw(chance, lies),
        events=tuple(events),
        keys=MANY_KEYS,
        page_size=chance.choice((3, 4, 5)),
        scans=3,
        remember=chance.choice(("all", "file")),
        parts=chance.choice(("remembered", "never")),
        nodes=False,
    )


def _begun(chance: random.Random, scan: int, before: int, keys: int = 9) -> Event:
    return Event(scan, before, "begin", chance.randrange(keys), chance.randint(0, 3), chance.randint(1, 9))


def _change(chance: random.Random, scan: int, before: int, keys: int = 9) -> Event:
    what = chance.choice(("begin", "end", "end", "part", "part"))
    if what == "begin":
        return _begun(chance, scan, before, keys)
    return Event(scan, before, what, chance.randrange(keys), chance.randint(1, 4), chance.randint(1, 9))


class Judge:
    """Scans a case, and compares each scan's numbers with what was true meanwhile."""

    def __init__(
        self, case: Case, make_store: Callable[[Bucket], Store] | None = None, **settings: object
    ) -> None:
        """Make the bucket, its server and the exporter's own state.

        `make_store` returns what asks another server than the lying one; with the settings of scans that go
        with it.
        """
        self._case = case
        self._bucket = Bucket(
            case.keys, case.events, lambda n: f"{crc32(f'{case.seed}-{n}'.encode()):08x}-{n}"
        )
        own = {"page_size": case.page_size, "retries": 0, "parts": case.parts}
        clock = self._bucket.clock
        scan = ScanSettings(**own | (EAGER if case.eager else {}) | settings)
        if make_store:
            stop, clocks = threading.Event(), Clocks(wall=clock.wall, jitter=lambda _low, _high: 0.0)
            self._client = StoreClient(make_store(self._bucket), scan, stop, clocks)
        else:
            self._client = StoreClient(self._store(), scan, clock, clock.clocks())
        self._watched = BucketSettings("media", prefix=case.prefix, stale_after=DAY)
        self._sized: set[str] = set()
        self._scanned: list[tuple[int, int]] = []
        self._start(StateDatabase())

    def _store(self) -> Store:
        case, bucket = self._case, self._bucket
        if not case.nodes:
            return Liar(bucket, case.lies, case.page_size, case.seed)
        nodes = [Liar(bucket, case.lies, case.page_size, case.seed, node) for node in range(2)]
        return MultiNodeStore([Node(f"node {number}", node) for number, node in enumerate(nodes)])

    def _start(self, database: StateDatabase) -> None:
        self._database = database
        one_shot = self._case.remember == "nothing"
        self._scanner = Scanner(self._client, (DAY,), relists_gone=one_shot)
        name = BucketName("t", "s3", "", "", "media")
        self._ledger = Ledger(LedgerRows(database, name), "the same")

    def verdicts(self) -> list[Verdict]:
        """Return the verdict on each scan."""
        random.seed(self._case.seed)  # chance decides which edges between pages are asked about
        found = [self._scan()]
        for _ in range(1, self._case.scans):
            self._bucket.clock.now += self._case.interval
            if self._case.remember == "nothing":
                self._start(StateDatabase())
                self._sized.clear()
                self._scanned.clear()
            elif self._case.remember == "file":
                self._ledger.rows.flush()
                self._start(self._database)
            found.append(self._scan())
        return found

    def _scan(self) -> Verdict:
        counted: list[CountedUpload] = []

        def new_observers() -> list[Callable[[CountedUpload], None]]:
            counted.clear()
            return [counted.append]

        first = self._bucket.begin_scan()
        try:
            result = self._scanner.scan(self._watched, self._ledger, new_observers)
        except StoreError as error:
            return Verdict((), (f"failed: {error}",), error)
        wrong = [*self._wrong_counts(counted, first), *_wrong_sums(counted, result)]
        if self._case.parts != "never":
            wrong += self._wrong_sizes(counted, first)
        self._scanned.append((first, self._bucket.moment))
        if self._case.parts == "remembered":
            self._sized |= {each.upload.upload_id for each in counted if each.bytes is not None}
        otherwise = any("keys: " in lie for lie in self._case.lies)
        return Verdict(tuple(wrong), tuple(_told(result, shown_otherwise=otherwise)))

    def _wrong_counts(self, counted: Sequence[CountedUpload], first: int) -> Iterator[Wrong]:
        last = self._bucket.moment
        times = Counter(each.upload.upload_id for each in counted if not each.denied)
        unsized = {each.upload.upload_id for each in counted if each.bytes is None}
        for each in self._true():
            name = each.upload_id
            found = times.pop(name, 0)
            if found > 1:
                yield Wrong("counted twice", name)
            elif not found and each.existed_all_through(first, last):
                scans = sum(each.existed_all_through(*moments) for moments in self._scanned)
                yield Wrong("missing", name, name in self._sized, scans, len(self._scanned), each.key)
            elif found and not each.existed(first, last):
                yield Wrong("unsized ghost" if name in unsized else "ghost", name, name in self._sized)
        yield from (Wrong("unknown", name) for name in times)

    def _true(self) -> list[InProgress]:
        return [each for each in self._bucket.ever if each.key.startswith(self._case.prefix or "")]

    def _wrong_sizes(self, counted: Sequence[CountedUpload], first: int) -> Iterator[Wrong]:
        truth = {each.upload_id: each for each in self._true()}
        for each in counted:
            upload = truth.get(each.upload.upload_id)
            if upload is None or each.denied or each.parts is None or each.bytes is None:
                continue
            ended = upload.ended is not None and upload.ended <= self._bucket.moment
            if ended and "zombies" in self._case.lies:
                continue  # it may count once as empty, or with its first parts only
            since = first if self._case.eager and not each.unlisted else 0
            if not upload.may_add_up_to(each.parts, each.bytes, since, self._bucket.moment):
                yield Wrong("size", f"{upload.upload_id}: {each.parts} parts of {each.bytes}")


def _wrong_sums(counted: Sequence[CountedUpload], result: ScanResult) -> Iterator[Wrong]:
    """Yield which sums are not those of the uploads counted."""
    valid = [each for each in counted if not each.denied]
    found, sized = result.summary, [each for each in valid if each.bytes is not None]
    initiated = [each.upload.initiated for each in valid if each.upload.initiated is not None]
    sums: list[tuple[str, object, object]] = [
        ("uploads", len(valid), found.uploads),
        ("oldest", min(initiated, default=None), found.oldest_initiated),
        ("denied", len(counted) - len(valid), found.denied),
        ("unlisted", sum(each.unlisted for each in valid), found.unlisted),
    ]
    if found.parts_known:
        sums.append(("unsized", len(valid) - len(sized), found.unsized))
    if found.parts_known and sized:
        sums.append(("bytes", sum(each.bytes or 0 for each in sized), found.bytes))
        sums.append(("parts", sum(each.parts or 0 for each in sized), found.parts))
        sums.append(("most parts", max(each.parts or 0 for each in sized), found.fullest_upload_parts))
    yield from (
        Wrong(f"sum of {name}", f"{found} instead of {true}") for name, true, found in sums if true != found
    )


def _told(result: ScanResult, *, shown_otherwise: bool) -> Iterator[str]:
    """Yield how a scan says that its numbers are not whole.

    Notices tell what was worked around, so that numbers are right, or what was left out: uploads whose keys
    are `shown_otherwise` may be among those outside the prefix.
    """
    summary = result.summary
    if summary.unlisted:
        yield f"unlisted: {summary.unlisted}"
    if summary.denied:
        yield f"denied: {summary.denied}"
    for notice in result.notices:
        if notice in {NOT_ASKED, NOT_BY_KEY} or (shown_otherwise and "outside the prefix" in notice):
            yield notice
    if summary.unsized:
        yield "unsized"
    if summary.overdue:
        yield "overdue"

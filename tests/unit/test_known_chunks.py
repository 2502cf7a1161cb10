"""A scan that counts whole chunks of the listing comes to the same as one that looks up each upload."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from fakes import BUCKET, DAY, NOW, REFUSED, Clock, error, upload
from hypothesis import given, settings
from hypothesis import strategies as st
from month import DirectCalls
from unit.fake_scan import scan
from unit.lying_store import LyingStore

from exporter.config.settings import ScanSettings, TargetSettings
from exporter.config.target_sections import TopSettings
from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Part
from exporter.scan.chunk_sums import ChunkSums
from exporter.scan.enrich import Enrichment
from exporter.scan.scanner import Scanner
from exporter.scan.tally import Tally
from exporter.state.chunk_cache import MAX_BYTES, ChunkCache, ChunkKey, ChunkMemory, PackedSums
from exporter.state.database import BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows
from exporter.stores.base import Page
from exporter.stores.engine.store_client import StoreClient

HOUR = 3600.0
AGES = (HOUR, DAY, 7 * DAY)
NAME = BucketName("t", "s3", "", "", "media")
FAILURES = (REFUSED, error(Reason.SERVER_ERROR, 500), error(Reason.THROTTLED, 503))


@dataclass
class World:
    """The uploads of a bucket: what is listed of them, their parts, and what fails. Changes by chance."""

    rng: random.Random
    now: float = 0.0
    uploads: list = field(default_factory=list)
    parts: dict = field(default_factory=dict)
    aborts: dict = field(default_factory=dict)
    hidden: set = field(default_factory=set)
    ended: list = field(default_factory=list)
    ghosts: list = field(default_factory=list)
    without_parts: set = field(default_factory=set)
    failing: dict = field(default_factory=dict)
    failing_page: int | None = None

    def begin(self, count: int) -> None:
        """Let uploads begin, most of them long ago."""
        for _ in range(count):
            age = self.rng.choice((0.0, HOUR, DAY, 30 * DAY)) * self.rng.uniform(-0.3, 2)
            new = upload(self.rng.randrange(10**6), None if self.rng.random() < 0.05 else age - self.now)
            self.uploads.append(
                new._replace(storage_class=self.rng.choice(("", "STANDARD", "GLACIER", "a b")))
            )
            self.parts[new.upload_id] = []
            if self.rng.random() < 0.1:
                self.aborts[new.upload_id] = NOW + self.now + self.rng.uniform(-4, 4) * DAY
            if self.rng.random() < 0.9:
                self._grow(new)

    def change(self) -> None:
        """Let something happen."""
        self.failing_page = self.rng.choice((0, 1, 2)) if self.rng.random() < 0.1 else None
        self.now += self.rng.choice((300.0, 300.0, 300.0, HOUR, 0.3 * DAY, DAY, 3 * DAY, 0.0, -HOUR))
        for _ in range(self.rng.choice((0, 0, 1, 2))):
            self.rng.choice(
                (self._churn, self._grow_some, self._alter, self._fail, self._lie, self._recover)
            )()

    def _churn(self) -> None:
        self.begin(self.rng.choice((0, 1, 20)))
        for ended in self._some(self.rng.choice((0, 1, 30))):
            self.uploads.remove(ended)
            self.ended.append(ended)
            if self.rng.random() < 0.1:
                self.ghosts.append(ended)

    def _return(self) -> None:
        self.uploads += self.ended
        self.ended.clear()

    def _grow_some(self) -> None:
        for each in self._some(self.rng.choice((1, 9))):
            self._grow(each)

    def _grow(self, each) -> None:
        parts, last = self.parts[each.upload_id], NOW + self.now
        for _ in range(self.rng.choice((1, 1, 5))):
            size = None if self.rng.random() < 0.02 else self.rng.randrange(1000)
            parts.append(Part(len(parts) + 1, size, last - self.rng.random() ** 9 * 20 * DAY))

    def _alter(self) -> None:
        for each in self._some(1):
            changed = each._replace(storage_class="STANDARD_IA"), each._replace(initiated=NOW - DAY)
            self.uploads[self.uploads.index(each)] = self.rng.choice(changed)

    def _fail(self) -> None:
        count = self.rng.choice((1, 60, len(self.uploads)))
        self.failing = {each.upload_id: self.rng.choice(FAILURES) for each in self._some(count)}

    def _lie(self) -> None:
        some = {each.upload_id for each in self._some(self.rng.choice((1, 20, len(self.uploads))))}
        self.rng.choice((self.hidden, self.without_parts)).update(some)

    def _recover(self) -> None:
        for lie in (self.hidden, self.ghosts, self.without_parts, self.failing):
            lie.clear()

    def _some(self, count: int) -> list:
        return self.rng.sample(self.uploads, min(count, len(self.uploads)))


class WorldStore(LyingStore):
    """Lists a world, one call after the other."""

    def __init__(self, world: World, page_size: int) -> None:
        super().__init__(page_size=page_size)
        self.world = world

    def open(self, bucket, deadline) -> DirectCalls:
        self.asked, self.asked_by_name, self.pages = Counter(), Counter(), 0
        return DirectCalls(self._answer)

    def before_page(self, number) -> None:
        if number == self.world.failing_page:
            raise error(Reason.BAD_RESPONSE, 404, "NoSuchUpload")

    def _answer(self, request) -> Page | StoreError:
        self.uploads, self.hidden, self.ghosts = self.world.uploads, self.world.hidden, self.world.ghosts
        self.without_parts = self.world.without_parts
        try:
            if request.upload is None:
                return self.list_uploads(request.bucket, request.marker, 0.0, by_name=request.by_name)
            super().list_parts(request.bucket, request.upload, None, 0.0)
        except StoreError as failed:
            return failed
        upload_id = request.upload.upload_id
        page = Page(self.world.parts[upload_id], truncated=False, abort_at=self.world.aborts.get(upload_id))
        return self.world.failing.get(upload_id, page)


class Side:
    """A ledger of the world's bucket, and what scans it."""

    def __init__(self, world: World, page_size: int, max_bytes: int) -> None:
        self.world, self.clock = world, Clock()
        self.store = WorldStore(world, page_size)
        self.state = StateDatabase(max_names=150)
        self.state.salt = b"phases of a seed"
        self.state.chunk_memory = ChunkMemory(max_bytes)
        self.start()

    def start(self) -> None:
        self.ledger = Ledger(LedgerRows(self.state, NAME), "the same")

    def scan(self, ages, stale_after, top, **scan) -> tuple:
        """Return what a scan came to, which questions it asked, and what is known then."""
        random.seed(7)
        self.clock.now, saved = self.world.now, []
        client = StoreClient(self.store, ScanSettings(retries=0, **scan), self.clock, self.clock.clocks())
        target = TargetSettings("t", "s3", (BUCKET,), top=TopSettings(("prefix",)) if top else None)
        scanner = Scanner(
            client,
            ages,
            on_calls_saved=saved.append,
            enrichment=Enrichment(target, client),
            top_uploads_limit=top,
        )
        try:
            outcome = replace(
                scanner.scan(replace(BUCKET, stale_after=stale_after), self.ledger), top_uploads=None
            )
        except StoreError as failed:
            outcome = str(failed)
        self.ledger.rows.flush()
        rows = self.state.read("SELECT * FROM uploads ORDER BY id")
        ledger = self.ledger
        known = (ledger.refusals, ledger.traits, ledger.denied)
        return outcome, sum(saved), self.store.asked, self.store.asked_by_name, rows, known


def draw_settings(rng: random.Random) -> dict:
    scan = {"parts": "remembered", "recheck_factor": 0.1, "max_requests": None}
    settings = {"ages": AGES, "stale_after": 7 * DAY, "top": 0, **scan}
    if rng.random() < 0.3:
        other = {"ages": (2 * HOUR,), "stale_after": HOUR, "top": 3}
        other |= {"parts": "always", "recheck_factor": 0.5, "max_requests": rng.choice((9, 90))}
        settings |= dict([rng.choice(list(other.items()))])
    return settings


@pytest.mark.slow
@pytest.mark.no_cover
@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.sampled_from((40, 1000)), st.integers(0, 300))
def test_whatever_happens_scan_by_scan(seed: int, page_size: int, count: int):
    rng = random.Random(seed)
    world = World(rng)
    world.begin(count)
    sides = [Side(world, page_size, max_bytes) for max_bytes in (rng.choice((MAX_BYTES, 9000)), 0)]
    for _ in range(25):
        settings = draw_settings(rng)
        if rng.random() < 0.05:
            for side in sides:
                side.start()
        by_chunks, one_by_one = (side.scan(**settings) for side in sides)
        assert one_by_one == by_chunks
        world.change()


def old(count: int) -> LyingStore:
    return LyingStore([upload(number, age=30 * DAY) for number in range(count)])


def test_uploads_that_ended_and_are_listed_again_are_asked_about():
    store, ledger, clock = old(40), Ledger(), Clock()
    scan(store, ledger, clock)
    uploads, store.uploads = store.uploads, []
    assert scan(store, ledger, clock).summary.uploads == 0
    store.uploads = uploads
    scan(store, ledger, clock)
    assert {each.upload_id: 2 for each in uploads} == store.asked


def test_what_a_lost_state_file_knew_is_asked_for_again(tmp_path):
    file = tmp_path / "state"
    state = StateDatabase(file)
    state.open(threading.Event())
    store, ledger, clock = old(40), Ledger(LedgerRows(state, NAME)), Clock()
    for _ in range(2):
        scan(store, ledger, clock)
    state.close()
    file.unlink()
    state.open(threading.Event())
    for _ in range(2):
        scan(store, ledger, clock)
    assert (40, {2}) == (ledger.rows.count(), set(store.asked.values()))
    state.close()


def ledgers_with_room(max_bytes: int, count: int) -> list[Ledger]:
    state = StateDatabase()
    state.chunk_memory = ChunkMemory(max_bytes)
    return [Ledger(LedgerRows(state, NAME._replace(bucket=str(number)))) for number in range(count)]


def test_chunks_of_all_buckets_share_a_memory():
    stores, ledgers = [old(900), old(900)], ledgers_with_room(30_000, 2)
    for store, ledger in zip(stores, ledgers, strict=True):
        scan(store, ledger, Clock())
        scan(store, ledger, Clock())
    sizes = [ledger.chunks.size for ledger in ledgers]
    assert min(sizes) > 0
    assert sum(sizes) <= 30_000
    uploads = [scan(*each, Clock()).summary.uploads for each in zip(stores, ledgers, strict=True)]
    assert {900} == set(uploads)


def test_chunks_of_buckets_that_are_scanned_at_the_same_time_share_a_memory():
    (one, other), (ledger, other_ledger) = (old(900), old(900)), ledgers_with_room(30_000, 2)
    one.page_size = 100

    def scan_the_other(page: int) -> None:
        if page == 1:
            scan(other, other_ledger, Clock())

    scan(one, ledger, Clock())
    one.before_page, one.pages = scan_the_other, 0
    scan(one, ledger, Clock())
    assert other_ledger.chunks.size > 0
    assert ledger.chunks.size + other_ledger.chunks.size <= 30_000


def test_chunks_that_are_no_longer_listed_give_their_memory_back():
    stores, ledgers = [old(1500), old(1500)], ledgers_with_room(30_000, 2)
    scan(stores[0], ledgers[0], Clock())
    full = ledgers[0].chunks.size
    stores[0].uploads = []
    scan(stores[0], ledgers[0], Clock())
    scan(stores[1], ledgers[1], Clock())
    assert full - 1000 < ledgers[1].chunks.size <= 30_000 - ledgers[0].chunks.size


def put_with_texts(cache: ChunkCache, texts: list[tuple[str, ...]], *, changes: int = 0) -> int:
    """Have a pass find one chunk with each of these texts; returns how many of them are kept.

    With another number of `changes`, the uploads are others that follow the same first ones.
    """
    cache.begin()
    cache.use("the same", NOW)
    keys = (ChunkKey(number, changes) for number in range(len(texts)))
    kept = [
        cache.put(key, NOW + DAY, [key.first], PackedSums(each, b""))
        for key, each in zip(keys, texts, strict=True)
    ]
    cache.commit()
    return sum(kept)


def test_the_chunks_of_a_bucket_that_is_no_longer_watched_give_their_memory_back():
    memory = ChunkMemory(20_000)
    kept = [put_with_texts(ChunkCache(memory), [("STANDARD",)] * 500) for _ in range(3)]
    assert [kept[0]] * 3 == kept
    assert 0 < kept[0] < 500


def test_chunks_that_have_changed_are_kept_in_the_place_of_what_they_were():
    cache = ChunkCache(ChunkMemory(20_000))
    kept = [put_with_texts(cache, [("STANDARD",)] * 500, changes=number) for number in range(3)]
    assert [kept[0]] * 3 == kept


def test_chunks_are_kept_however_many_combinations_of_classes_there_were():
    cache = ChunkCache(ChunkMemory())
    kept = [
        put_with_texts(cache, [(f"{number} of {scan_number}",) for number in range(400)])
        for scan_number in range(9)
    ]
    assert kept == [400] * 9


def test_combinations_of_classes_beyond_their_number_are_not_kept_and_take_no_memory():
    cache, sizes = ChunkCache(ChunkMemory()), []
    for _ in range(3):
        assert put_with_texts(cache, [(str(number),) for number in range(3000)]) == 1000
        cache.begin()
        sizes.append(cache.size)
    assert [sizes[0]] * 3 == sizes


def test_combinations_of_classes_count_as_memory():
    texts = [tuple(f"class {number} {each}" for each in range(8)) for number in range(500)]
    assert put_with_texts(ChunkCache(ChunkMemory(200_000)), texts) < 100


def test_chunks_with_the_same_classes_in_another_order_have_one_combination():
    sums = Tally(now=NOW, stale_after=DAY, ages=AGES, with_parts=True).sums()
    chunk_sums = ChunkSums(ChunkCache(ChunkMemory()), len(AGES) + 1)
    packed, other = (
        chunk_sums.pack(sums._replace(classes=classes), 0) for classes in ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    )
    assert packed == other

"""A bucket that is scanned again and again, while one step of one scan fails: a statement, a request.

Each upload has a size of its own, a power of two, and another one each time it grows: the sum of bytes says
which uploads were counted, and by what size.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from fakes import BUCKET, DAY, GONE, NOW, Clock, error
from unit.lying_store import LyingStore

from exporter.config.settings import BucketSettings, ScanSettings
from exporter.model.errors import Failure, Reason, StoppingError, StoreError
from exporter.model.uploads import Part, Upload
from exporter.scan.scanner import Scanner
from exporter.state.board import Board, Entry
from exporter.state.database import BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows
from exporter.stores.base import ListingStart, Page
from exporter.stores.engine.store_client import StoreClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.model.results import Summary
    from exporter.stores.base import PageRequest

NAME = BucketName("t", "s3", "https://s3.example.com", "-", "media")
KEY = ("t", "media")
INTERVAL = 300.0
NAMES = 10
"""Number of uploads whose names are kept: fewer than there are, so that names are trimmed, too."""
SALT = bytes(range(16))
MOMENTS = ("before", "after", "undone")
"""When a statement fails: before it is run, after it was, and, as SQLite often does it, with a rollback."""


class Fault(NamedTuple):
    """What happens at a step: `make` returns the error; `moment` is one of MOMENTS, for statements."""

    name: str
    make: Callable[[], BaseException]
    moment: str = "before"
    lasting: bool = False
    """Whether all later steps of the scan fail, too."""


def sqlite_error(kind: type[sqlite3.Error], text: str, code: int) -> sqlite3.Error:
    made = kind(text)
    made.sqlite_errorcode = code
    return made


SQLITE_ERRORS = {
    "disk full": (sqlite3.OperationalError, "database or disk is full", sqlite3.SQLITE_FULL),
    "busy": (sqlite3.OperationalError, "database is locked", sqlite3.SQLITE_BUSY),
    "locked": (sqlite3.OperationalError, "database table is locked", sqlite3.SQLITE_LOCKED),
    "read error": (sqlite3.OperationalError, "disk I/O error", sqlite3.SQLITE_IOERR_READ),
    "write error": (sqlite3.OperationalError, "disk I/O error", sqlite3.SQLITE_IOERR_FSYNC),
    "read-only": (sqlite3.OperationalError, "attempt to write a readonly database", sqlite3.SQLITE_READONLY),
    "cannot open": (sqlite3.OperationalError, "unable to open database file", sqlite3.SQLITE_CANTOPEN),
    "corrupt": (sqlite3.DatabaseError, "database disk image is malformed", sqlite3.SQLITE_CORRUPT),
    "not a database": (sqlite3.DatabaseError, "file is not a database", sqlite3.SQLITE_NOTADB),
}
DAMAGE = {"corrupt", "not a database"}
STATEMENT_FAULTS = [
    Fault(name, partial(sqlite_error, *made), moment, lasting)
    for name, made in SQLITE_ERRORS.items()
    for moment in MOMENTS
    for lasting in (False, True)
] + [Fault("no memory", MemoryError, moment) for moment in MOMENTS]

REQUEST_ERRORS = {
    "denied": error(Reason.ACCESS_DENIED, 403, "AccessDenied"),
    "credentials": error(Reason.CREDENTIALS, 403, "ExpiredToken"),
    "no bucket": error(Reason.NOT_FOUND, 404, "NoSuchBucket"),
    "throttled": error(Reason.THROTTLED, 503, "SlowDown", retryable=True),
    "server error": error(Reason.SERVER_ERROR, 500, "InternalError", retryable=True),
    "not implemented": error(Reason.UNSUPPORTED, 501, "NotImplemented"),
    "timeout": error(Reason.TIMEOUT, retryable=True),
    "connection": error(Reason.CONNECTION, retryable=True),
    "tls": error(Reason.TLS),
    "bad response": error(Reason.BAD_RESPONSE, 200),
    "garbled": StoreError(Reason.BAD_RESPONSE, "not well-formed", status=200, garbled=True),
    "marker refused": error(Reason.BAD_RESPONSE, 400, "InvalidArgument"),
    "marker forgotten": error(Reason.BAD_RESPONSE, 404, "NoSuchUpload"),
    "internal": error(Reason.INTERNAL),
}
REQUEST_FAULTS = [
    Fault(name, lambda made=made: made, lasting=lasting)  # type: ignore[misc]
    for name, made in REQUEST_ERRORS.items()
    for lasting in (False, True)
] + [Fault("stop", StoppingError), Fault("no memory", MemoryError)]


class Steps:
    """Counts the steps of a scan, and has one fail. `labels` say what each of them was."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.fail_at: int | None = None
        self.fault: Fault | None = None
        self.failed = 0

    def arm(self, number: int | None, fault: Fault | None) -> None:
        """Count anew, and fail the step of this number, counted from 0."""
        self.labels, self.failed, self.fail_at, self.fault = [], 0, number, fault

    def next_fault(self, label: str) -> Fault | None:
        """Count a step; return the fault that it meets."""
        number = len(self.labels)
        self.labels.append(label)
        if self.fault is None or self.fail_at is None or number < self.fail_at:
            return None
        if number > self.fail_at and not self.fault.lasting:
            return None
        self.failed += 1
        return self.fault


class FailingConnection(sqlite3.Connection):
    """A connection whose statements are steps, but for those of a database in memory."""

    steps = Steps()

    def __init__(self, database: object, *options: Any, **named: Any) -> None:
        super().__init__(database, *options, **named)  # type: ignore[arg-type]
        self._fails = database != ":memory:"

    on_step: Callable[[], None] = staticmethod(lambda: None)

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:  # type: ignore[override]
        return self._step(sql, lambda: super(FailingConnection, self).execute(sql, *values))

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:  # type: ignore[override]
        cursor = super().cursor()
        for row in rows:  # each of them is a statement
            cursor = self.execute(sql, row)
        return cursor

    def executescript(self, script: str) -> sqlite3.Cursor:  # type: ignore[override]
        return self._step(script, lambda: super(FailingConnection, self).executescript(script))

    def _step(self, label: str, run: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        if not self._fails:
            return run()
        self.on_step()
        fault = self.steps.next_fault(label)
        if fault is None:
            return run()
        if fault.moment == "after":
            run()
        if fault.moment == "undone" and self.in_transaction:
            super().execute("ROLLBACK")
        raise fault.make()


class Session:
    """Answers the calls of a scan one after the other; each is a step."""

    listing_start = ListingStart.NOTHING

    def __init__(self, store: WorldStore) -> None:
        self._store = store
        self._waiting: list[tuple[object, PageRequest]] = []

    def start(self, request: PageRequest, deadline: float, label: object) -> None:
        self._waiting.append((label, request))

    def completed(self, timeout: float) -> list[tuple[object, Any]]:
        if not self._waiting:
            return []
        label, request = self._waiting.pop(0)
        if fault := fault_of(self._store.steps, request):
            return [(label, fault)]
        try:
            return [(label, self._store.answer(request))]
        except StoreError as failure:
            return [(label, failure)]

    def close(self) -> None:
        self._waiting.clear()


def fault_of(steps: Steps, request: PageRequest) -> StoreError | None:
    """Return the error that a request meets, if any; raise it where no request can come back with it."""
    fault = steps.next_fault(repr(request[1:]))
    if fault is None:
        return None
    made = fault.make()
    if not isinstance(made, StoreError):
        raise made
    if made.code in {"NoSuchUpload", "InvalidArgument"} and (request.marker is None or request.upload):
        return error(Reason.BAD_RESPONSE, 200)  # else it is a valid answer, and a lie
    return made


@dataclass
class WorldStore(LyingStore):
    """A store of uploads with sizes of their own; some have parts on two pages."""

    page_size: int = 4
    steps: Steps = field(default_factory=Steps)
    versions: dict[str, list[int]] = field(default_factory=dict)
    bits: int = 0

    def begin(self, count: int, age: float = 5 * DAY) -> None:
        """Begin so many uploads, which were active `age` seconds before NOW."""
        for _ in range(count):
            number = len(self.versions)
            made = Upload(f"key-{number:02}", f"id-{number:02}", NOW - age - number)
            self.uploads.append(made)
            self.versions[made.upload_id] = []
            self.grow(made.upload_id)

    def grow(self, upload_id: str) -> None:
        """Have an upload grow."""
        self.versions[upload_id].append(1 << self.bits)
        self.bits += 1

    def end(self, *upload_ids: str) -> None:
        """End uploads."""
        self.uploads = [each for each in self.uploads if each.upload_id not in upload_ids]

    def open(self, bucket: BucketSettings, deadline: float) -> Any:
        return Session(self)

    def answer(self, request: PageRequest) -> Page[Any]:
        if request.upload is None:
            options = {"by_name": True} if request.by_name else {}
            return self.list_uploads(request.bucket, request.marker, 0.0, **options)
        return self.list_parts(request.bucket, request.upload, request.marker, 0.0)

    def list_parts(self, bucket: Any, upload: Upload, marker: Any, deadline: float) -> Page[Part]:
        if upload.upload_id not in {each.upload_id for each in self.uploads}:
            raise GONE
        parts = self.parts_of(upload.upload_id, self.versions[upload.upload_id][-1])
        start = int(marker[0]) if marker else 0
        end = start + 2
        return Page(parts[start:end], end < len(parts), (str(end),) if end < len(parts) else None)

    def parts_of(self, upload_id: str, size: int) -> list[Part]:
        """Return the parts of an upload of this size: three of each third upload, one of the others."""
        count = 3 if int(upload_id[3:]) % 3 == 0 else 1
        active = NOW - 5 * DAY
        return [Part(number + 1, 0 if number else size, active) for number in range(count)]


@dataclass
class SegmentedStore(WorldStore):
    """Such a store that takes any key as a marker."""

    def open(self, bucket: BucketSettings, deadline: float) -> Any:
        session = Session(self)
        session.listing_start = ListingStart.ANY_KEY
        return session


class Outcome(NamedTuple):
    """What is shown of the bucket after a scan."""

    success: bool | None
    complete: bool
    summary: Summary | None
    notices: tuple[str, ...]


class World:
    """One bucket with its store, its ledger in a state file, and the board."""

    def __init__(self, store: WorldStore, path: Path, **settings: Any) -> None:
        self.store = store
        self.path = path
        self.settings = {"retries": 1, "concurrency": 4, "listing_concurrency": 1, **settings}
        self.clock = Clock()
        self.moment = 0.0
        self.start()

    def start(self) -> None:
        """Begin a process: open the state file, and show what it holds."""
        self.state = StateDatabase(self.path, max_names=NAMES)
        assert self.state.open(threading.Event(), wait=0.0)
        self.ledger = Ledger(LedgerRows(self.state, NAME))
        self.board = Board(self.clock.monotonic)
        entry = Entry("t", "media", "s3", keep_for=DAY)
        if self.ledger.result:
            age = self.clock.wall() - self.ledger.result.finished
            entry = self.board.restored(entry, self.ledger.result, age)
        self.board.declare([entry])
        scan_settings = ScanSettings(**self.settings)
        client = StoreClient(self.store, scan_settings, threading.Event(), self.clock.clocks())  # type: ignore[arg-type]
        self._scanner = Scanner(client, (3600.0, 7 * DAY))

    def restart(self) -> None:
        """End the process, and begin another."""
        self.state.close()
        self.start()

    def scan(self, after: float = INTERVAL) -> Outcome:
        """Scan the bucket, so many seconds after the last scan began, as the loop does it."""
        self.moment += after
        self.clock.now = self.moment
        random.seed(int(self.moment))
        try:
            self.board.publish(KEY, self._scanner.scan(BUCKET, self.ledger))
        except StoppingError:
            pass
        except Exception as failure:  # noqa: BLE001 - as the loop does
            self.board.fail(KEY, Failure.of(failure), 0.0)
        return self.shown()

    def shown(self) -> Outcome:
        """Return what is shown now."""
        [entry] = self.board.entries()
        return Outcome(entry.success, entry.complete, entry.summary, entry.notices)

    def close(self) -> None:
        self.state.close()
        for file in self.path.parent.glob(f"{self.path.name}*"):
            with suppress(FileNotFoundError):
                file.unlink()


def new_file(path: Path) -> Path:
    """Make a state file with a salt that is always the same, to be copied."""
    state = StateDatabase(path)
    assert state.open(threading.Event())
    state.write(lambda connection: connection.execute("UPDATE salt SET bytes = ?", (SALT,)))
    state.close()
    return path


def copy_of(template: Path, path: Path) -> Path:
    shutil.copyfile(template, path)
    return path


def dishonesty(world: World, shown: Outcome, *, forgotten: bool = False) -> str:
    """Return why a finished scan's numbers are neither right nor marked as incomplete; '' where they are.

    Where the file was damaged and set aside, all is `forgotten`: what the listing hides is not known then.
    """
    summary, store = shown.summary, world.store
    if summary is None:
        return ""
    counted, overdue = {}, 0
    for upload_id, versions in store.versions.items():
        found = [size for size in versions if (summary.bytes or 0) & size]
        if len(found) > 1:
            return f"{upload_id} is counted twice"
        if found:
            counted[upload_id] = found[0]
            overdue += found[0] != versions[-1]
    there = {each.upload_id for each in store.uploads}
    ghosts = {each.upload_id for each in store.ghosts}
    sized = summary.uploads - summary.unsized
    fewest = len(there - store.hidden if summary.unexamined or forgotten else there)
    ended = len(counted.keys() - there)
    most = len(there | ghosts) + min(ended, 0 if summary.complete else summary.unlisted)
    problems = (
        (ended > summary.unlisted + summary.overdue, "an upload that has ended is counted"),
        (not fewest <= summary.uploads <= most, f"{summary.uploads} uploads for {len(there)}"),
        (summary.complete and len(counted) < fewest, "complete, but uploads lack"),
        (len(counted) != sized, f"the bytes are of {len(counted)} uploads, not of {sized}"),
        (
            (summary.parts or 0) != sum(len(store.parts_of(*each)) for each in counted.items()),
            "the parts are of others than the bytes",
        ),
        (overdue > summary.overdue, "an old size is taken for a new one"),
        (summary.age_counts[-1] != summary.uploads - summary.undated, "the ages are of other uploads"),
        (shown.complete != summary.complete, "complete is not what the sums say"),
    )
    return "; ".join(text for holds, text in problems if holds)


def inconsistencies(world: World, *, forgotten: bool = False) -> list[str]:
    """Return what does not fit together in the ledger, after a scan that found all as it is."""
    state, ledger = world.state, world.ledger
    numbers = state.read("SELECT number FROM buckets")
    if len(numbers) != 1:
        return [f"{len(numbers)} buckets"]
    [[number]] = numbers
    rows = dict(state.read("SELECT id, name FROM uploads WHERE bucket = ?", (number,)))
    blocks = {
        block: (names, size)
        for block, names, size in state.read(
            "SELECT number, names, size FROM name_blocks WHERE bucket = ?", (number,)
        )
    }
    named = ledger.rows.fetch_names(list(rows))
    there = {ledger.row_id(each): each for each in world.store.uploads}
    ghosts = {ledger.row_id(each): each for each in world.store.ghosts}
    hidden = {row_id for row_id, each in there.items() if forgotten and each.upload_id in world.store.hidden}
    using: dict[Any, int] = {}
    for block in rows.values():
        if block is not None:
            using[block] = using.get(block, 0) + 1
    problems = (
        (
            set(rows) - set(ghosts) - hidden != set(there) - hidden,
            f"{len(rows)} rows for {len(there)} uploads",
        ),
        ({each: names for each, (names, _) in blocks.items()} != using, f"blocks {blocks}, used {using}"),
        (any(names > size for names, size in blocks.values()), "a block has fewer names than it says"),
        (
            {each for (each,) in state.read("SELECT number FROM names")} != set(blocks),
            "blocks of names without their texts, or texts without their block",
        ),
        (
            set(named) != {each for each, block in rows.items() if block is not None},
            "names cannot be read",
        ),
        (len(named) > NAMES, f"{len(named)} names"),
        (any((there | ghosts).get(each) != upload for each, upload in named.items()), "another's name"),
    )
    return [text for holds, text in problems if holds]

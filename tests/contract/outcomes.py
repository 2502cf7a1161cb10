"""What a scan comes to, made comparable: sums, and what each call failed with."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from contract.rig_s3 import by_boto3, path_style
from contract.rigs import SCAN, Rig, Upload
from contract.scans import scanner

from exporter.config.settings import BucketSettings
from exporter.model.errors import StoreError
from exporter.model.results import Summary
from exporter.state.ledger import Ledger
from exporter.stores.base import BucketSession, PageRequest, Store

BUCKET = BucketSettings("media", stale_after=7 * 86400.0)
Heard = tuple[str, str, str, int]
"""The upload id asked about ('' for a listing), and reason, code and status of what came of it."""


class Listening:
    """A store that keeps what its calls failed with, questions by name apart."""

    def __init__(self, store: Store) -> None:
        self.heard: set[Heard] = set()
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def open(self, bucket: BucketSettings, deadline: float) -> BucketSession:
        session = self._store.open(bucket, deadline)
        start, completed, requests = session.start, session.completed, {}

        def listening_start(request: PageRequest, deadline: float, label: object) -> None:
            requests[id(label)] = request
            start(request, deadline, label)

        def listening_completed(timeout: float) -> Any:
            found = completed(timeout)
            for label, error in found:
                if isinstance(error, StoreError) and not requests[id(label)].by_name:
                    upload = requests[id(label)].upload
                    about = upload.upload_id if upload else ""
                    self.heard.add((about, error.reason, error.code, error.status))
            return found

        session.start, session.completed = listening_start, listening_completed
        return session


@dataclass(frozen=True)
class Outcome:
    """What a scan came to; what single calls failed with is all known only of a scan that ended well."""

    summary: Summary | None
    heard: frozenset[Heard]
    reason: str = ""
    requests: Counter[str] = field(default_factory=Counter, compare=False)
    is_repeated: bool = field(default=False, compare=False)
    """Whether the bucket was listed again, while calls were in flight."""

    def is_true(self, uploads: list[Upload]) -> bool:
        """Whether everything was found, and nothing went wrong."""
        parts = [part.size for upload in uploads for part in upload.parts]
        found = self.summary
        sums = (found.uploads, found.parts, found.bytes, found.unsized) if found else None
        return sums == (len(uploads), len(parts), sum(parts), 0) and not self.heard


def outcome(rig: Rig, **settings: object) -> Outcome:
    """Scan and return what came of it; `settings` of the scan may be given."""
    listening, before = Listening(rig.store), rig.traffic.requests
    made = scanner(rig, listening, **{"concurrency": 4, "retries": 1} | settings)
    try:
        result = made.scan(rig.bucket, Ledger())
    except StoreError as error:
        heard = frozenset(each for each in listening.heard if not each[0])
        return Outcome(None, heard, error.reason, rig.traffic.requests - before)
    assert bool(result.warning) == bool(result.summary.unsized)
    requests = rig.traffic.requests - before
    return Outcome(result.summary, frozenset(listening.heard), "", requests, bool(result.notices))


Engines = Callable[[int | None, list[Upload]], tuple[Rig, Rig]]
"""Returns a rig of the wire engine and one of boto3, of this page size, that hold these uploads."""


@contextmanager
def both_engines() -> Iterator[Engines]:
    """Give what opens rigs of both engines; those of one page size are opened once, and renewed."""
    rigs: dict[int | None, tuple[Rig, Rig]] = {}
    with ExitStack() as stack:

        def open_both(page_size: int | None, uploads: list[Upload]) -> tuple[Rig, Rig]:
            if page_size not in rigs:
                settings = {"scan": replace(SCAN, page_size=page_size), "bucket": BUCKET}
                wire, boto3 = (stack.enter_context(each(**settings)) for each in (path_style, by_boto3))
                rigs[page_size] = wire, boto3
            for rig in rigs[page_size]:
                renew(rig, uploads)
            return rigs[page_size]

        yield open_both


def renew(rig: Rig, uploads: list[Upload]) -> None:
    """Have the server behave, and hold these uploads."""
    rig.reset()
    rig.server.answer = lambda _, truly: truly()
    rig.fill(uploads)

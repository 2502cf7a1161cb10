"""Uploads that were made on a server, and what became of them: the truth, taken from no listing."""

import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from servers.sender import RefusedError
from servers.standin import Request

THREADS = 8


@dataclass(eq=False)
class Made:
    """An upload that was made: its key and id, and the size and ETag of each part by number.

    It began between `asked` and `answered`, and ended between `ending` and `ended`, None while it lives
    (Unix seconds).
    """

    bucket: str
    key: str
    upload_id: str
    asked: float
    answered: float
    parts: dict[int, int] = field(default_factory=dict)
    etags: dict[int, str] = field(default_factory=dict)
    ending: float | None = None
    ended: float | None = None

    @property
    def size_bytes(self) -> int:
        return sum(self.parts.values())


class Record(ABC):
    """All uploads that were made on one server; how they are made is its subclasses' matter."""

    def __init__(self, *, completed_ends_key: bool = False) -> None:
        self._completed_ends_key = completed_ends_key
        self._made: list[Made] = []
        self._names = itertools.count()
        self._lock = threading.Lock()

    @abstractmethod
    def close(self) -> None:
        """Close its connections."""

    @abstractmethod
    def takes(self, bucket: str) -> bool:
        """Tell whether the server takes requests, and has this bucket from now on."""

    @abstractmethod
    def asked_for(self, request: Request) -> tuple[str, str] | None:
        """Return the bucket whose uploads a request lists, and ''; or also the id whose parts it lists."""

    @abstractmethod
    def next_ids(self, page: bytes) -> list[str]:
        """Return what a page names as the place to go on from: texts that may be upload ids."""

    @abstractmethod
    def _make_bucket(self, name: str) -> None: ...

    @abstractmethod
    def _begin(self, bucket: str, key: str) -> tuple[str, str]:
        """Begin an upload of a key; return its key and id. Raises RefusedError."""

    @abstractmethod
    def _put(self, made: Made, number: int, size: int) -> None:
        """Send a part. Raises RefusedError."""

    @abstractmethod
    def _abort(self, made: Made) -> None:
        """End it with nothing left. Raises RefusedError."""

    @abstractmethod
    def _complete(self, made: Made) -> None:
        """End it as an object of its parts. Raises RefusedError."""

    def bucket(self) -> str:
        """Make a bucket, and return its name."""
        name = f"matrix-{next(self._names):03}"
        self._make_bucket(name)
        return name

    def create(self, bucket: str, key: str, sizes: Mapping[int, int]) -> Made:
        """Begin an upload with parts of these sizes by number. Raises RefusedError."""
        asked = time.time()
        key, upload_id = self._begin(bucket, key)
        made = Made(bucket, key, upload_id, asked, time.time())
        with self._lock:
            self._made.append(made)
        for number, size in sizes.items():
            self.put(made, number, size)
        return made

    def create_all(self, bucket: str, wanted: Iterable[tuple[str, Mapping[int, int]]]) -> list[Made]:
        """Begin many uploads side by side, each of a key with parts of these sizes by number."""
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(lambda each: self.create(bucket, *each), wanted))

    def put(self, made: Made, number: int, size: int) -> None:
        """Send a part, for the first time or again."""
        self._put(made, number, size)
        made.parts[number] = size

    def abort(self, made: Made) -> None:
        made.ending = time.time()
        self._abort(made)
        made.ended = time.time()

    def complete(self, made: Made) -> None:
        ended = [made]
        if self._completed_ends_key:
            ended = [other for other in self.of(made.bucket) if other.key == made.key]
        for each in ended:
            each.ending = time.time()
        self._complete(made)
        for each in ended:
            each.ended = time.time()

    def drop(self, made: Made) -> None:
        """Abort an upload that the server may not know, and forget it."""
        with suppress(RefusedError):
            self._abort(made)
        with self._lock:
            self._made.remove(made)

    def forget(self, bucket: str) -> None:
        """Take all uploads of a bucket for ended: the server has lost them."""
        for made in self.of(bucket):
            made.ending = made.ended = time.time()

    def of(self, bucket: str) -> list[Made]:
        """Return the uploads of a bucket that were begun and not ended."""
        with self._lock:
            return [made for made in self._made if made.bucket == bucket and made.ending is None]

    def all_of(self, bucket: str) -> Iterator[Made]:
        """Yield the uploads of a bucket, ended ones too."""
        with self._lock:
            made = list(self._made)
        return (each for each in made if each.bucket == bucket)

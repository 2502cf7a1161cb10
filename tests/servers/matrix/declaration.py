"""What a server of the matrix is, what it cannot do, and what the exporter cannot get exact on it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from servers.matrix.record import Record
from servers.matrix.s3_record import RawClient, S3Record

KEYS: Mapping[str, Mapping[str, str]] = {
    "marks": {
        "space": "sp ace",
        "plus": "pl+us",
        "percent": "pct%41x",
        "ampersand": "amp&amp;",
        "less-than": "l<t>]]>",
        "quotes": "q\"u'o`te",
        "query": "que?ry=1#frag",
        "backslash": "back\\sl",
        "unicode": "ünï-日本-🪣",
    },
    "slashes": {"double slash": "dbl//slash", "trailing slash": "trail/", "leading slash": "/lead"},
    "dots": {"dot segment": "dot/./c", "dot-dot segment": "dots/../b"},
    "breaks": {"tab": "ta\tb", "line feed": "l\nf"},
    "returns": {"carriage return": "c\rr"},
    "controls": {"U+0001": "ctl\x01x"},
    "long": {"900 bytes": "n" * 900, "1,000 bytes in segments": "/".join(["s" * 99] * 10)},
}
"""Odd keys by their names; each group has its own bucket, since a key may break the listing of its bucket."""

GROUPS: Mapping[str, str] = {
    "plain": "plain keys",
    "re-sent part": "parts sent again",
    "empty": "an empty bucket",
    "marks": "keys with marks",
    "slashes": "keys with odd slashes",
    "dots": "keys with dot segments",
    "breaks": "keys with tabs and line feeds",
    "returns": "keys with a carriage return",
    "controls": "keys with a control character",
    "long": "long keys",
    "prefix": "`prefix`",
    "many": "more uploads than one page",
    "churn": "uploads that end and begin meanwhile",
    "restart": "a restart of the server",
}
"""What the matrix is divided into, and what it is called in the table: a verdict is about one of these."""

PAGE_SIZES = (1, 2, 3, 5, 12, 1000, None)


class Instance(Protocol):
    """A server that runs."""

    endpoint_url: str

    def restart(self) -> None:
        """End it and start it again on the same data and port; return when it answers."""


HOW = {
    "failed": "the scan fails",
    "unsized": "unsized",
    "denied": "denied",
    "unlisted": "unlisted",
    "notice": "a notice",
}
"""By the first word of a verdict: how the exporter says that its numbers are not all, for the table."""


@dataclass(frozen=True)
class Told:
    """Cells of a group that are not exact, and how the exporter says so.

    `by` is the first word of the verdict, one of HOW. `why` is what the server does, for the table.
    """

    by: str
    why: str


def s3_record(server: "Server", instance: Instance) -> Record:
    """Return what makes uploads on an S3 server."""
    client = RawClient(instance.endpoint_url, server.access_key, server.secret_key, server.region)
    return S3Record(client, completed_ends_key=server.completed_ends_key)


@dataclass(frozen=True)
class Server:
    """A server of the matrix: its identity, its habits, and what the exporter cannot get exact on it."""

    name: str
    version: str
    opened: Callable[[Path], AbstractContextManager[Instance]]
    """Starts it with its data in this folder; skips the test where it is not installed."""
    record: Callable[["Server", Instance], Record] = s3_record
    """Makes uploads on it."""
    access_key: str = "matrixaccesskey0001"
    secret_key: str = "matrix-secret-key-0001"
    region: str = "us-east-1"
    own_page: int = 1000
    """How many uploads it lists in a page at most; 0 where it has no pages, or does not take more uploads."""
    page_sizes: tuple[int | None, ...] = PAGE_SIZES
    engines: tuple[str, ...] = ("wire", "boto3")
    """Of store s3; `obs-v2` and `obs-v4` are store obs with that signature, `azure` is store azure."""
    after_restart: Literal["keeps", "forgets uploads", "forgets all"] = "keeps"
    initiated: Literal["exact", "fixed", "activity", "first sight"] = "exact"
    """What its Initiated is; where it is not the initiation, the oldest upload is not compared.

    Where there is none, first sight stands for it: that may be later, and never earlier.
    """
    completed_ends_key: bool = False
    """Whether a completed upload ends all others of its key."""
    refuses: frozenset[str] = frozenset()
    """Names of odd keys that it takes no upload of; AGAIN of `buckets` where no part can be sent again."""
    folds: Mapping[str, str] = field(default_factory=dict)
    """What it makes of odd keys, by their names: it lists and knows the upload by that other key."""
    told: Mapping[str, Told] = field(default_factory=dict)
    """By group: where the exporter is not exact at every engine and page size, but says so."""
    beyond: Mapping[tuple[str, int | None], str] = field(default_factory=dict)
    """Why no answer of the server holds the truth, by group and page size: these cells are not judged."""
    habits: tuple[str, ...] = ()
    """What else is particular to it, or to its config, for the table."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Further keys of the target."""

    def key(self, name: str, key: str) -> str:
        """Return the key by which the server knows an upload that was made with this one."""
        return self.folds.get(name, key)

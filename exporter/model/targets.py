"""The targets as they are watched now, for pages and metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.errors import Failure


class ScanTimes(NamedTuple):
    """When a bucket's next scan is due, and when the scan under way began; Unix seconds."""

    due: float
    running_since: float | None = None


class ScanRequest(NamedTuple):
    """What came of a request to scan now: numbers of targets and of their buckets that it covers.

    `running` are the buckets whose scan is under way, which are scanned again after it; `lists` the targets
    whose list of buckets is read anew.
    """

    targets: int
    buckets: int
    running: int
    lists: int


class UnknownNameError(Exception):
    """A request names a target or bucket that is not watched; the text is for people."""


class DroppedBucket(NamedTuple):
    """A bucket that the account has and that is not watched; `why` says which key of the config drops it."""

    name: str
    why: str

    def __str__(self) -> str:
        """Return both on one line, whatever the name is."""
        return one_line(f"{self.name} ({self.why})")


class Selection(NamedTuple):
    """What the patterns of `discover` left of a list of buckets.

    `seen` is the number of buckets in the list, `matched` that of those to watch, by whichever shard;
    `dropped` are the first ones of the others.
    """

    seen: int = 0
    matched: int = 0
    dropped: tuple[DroppedBucket, ...] = ()

    @property
    def problem(self) -> str:
        """What is wrong where no bucket is left, '' where one is."""
        if self.matched:
            return ""
        if not self.seen:
            return "discover matches no bucket: there is none, or the credentials see none"
        named: dict[str, list[str]] = {}
        for each in self.dropped[:_NAMED_LIMIT]:
            named.setdefault(each.why, []).append(each.name)
        texts = [one_line(f"{', '.join(names)} ({why})") for why, names in named.items()]
        more = self.seen - sum(map(len, named.values()))
        rest = f" and {more:,} more" if more else ""
        return f"discover matches no bucket, {self.seen:,} seen: {', '.join(texts)}{rest}"


_NAMED_LIMIT = 5
"""Maximum number of buckets that are named in a sentence."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """Outcome of the last listing of a target's buckets; `success` is None before the first has ended.

    `last_success` is Unix seconds, `selection` what came of that listing.
    """

    success: bool | None = None
    failure: Failure | None = None
    last_success: float | None = None
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """A target as it is watched now. `discovery` is None where its buckets are listed in the config."""

    settings: TargetSettings
    buckets: tuple[BucketSettings, ...]
    signing_region: str = ""
    scan_times: Mapping[str, ScanTimes] = field(default_factory=dict)
    discovery: Discovery | None = None

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Scheme, host and port of each URL in its config or of its account, and nothing else of them."""
        urls = map(urlsplit, self.settings.addresses)
        return tuple(f"{url.scheme}://{url.netloc.rpartition('@')[2]}" for url in urls)

"""A store within the process that lies: each lie is a switch, and lies of different kinds go together.

`LIES` names them. They are answers that servers were seen to give, or that their source shows; the listing is
modelled as pages, without HTTP, so that thousands of combinations take seconds.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

from contract.liar_world import Bucket, InProgress
from fakes import NOW

from exporter.model.errors import GoneError, Reason, StoreError
from exporter.model.uploads import Part, Parts, Upload
from exporter.stores.base import S3_OPERATIONS, ListingStart, Page
from exporter.stores.pagination.part_sums import NumberedPartSum

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.config.settings import BucketSettings
    from exporter.stores.base import Marker, PageRequest

UNLIMITED = 1000


@dataclass(frozen=True)
class Behaviour:
    """How a server answers; the defaults are those of Amazon S3."""

    order: str = "key"
    given: str = "pair"
    """What a page names as the next marker."""
    taken: str = "pair"
    """What a marker that comes back does."""
    ended: str = "compared"
    """What a marker does whose upload has ended since."""
    size: str = "as asked"
    truncated: str = "as is"
    filtered: bool = False
    """Whether pages are counted before what is no upload is taken out: some are short, some empty."""
    prefix: str = "as asked"
    listing: str = "all"
    """Which uploads the listing of the bucket knows; one by an upload's exact key knows them all."""
    ghosts: str = "none"
    """Which uploads stay in the listing after they have ended."""
    shown: str = "as is"
    """How keys are written."""
    repeats: str = "none"
    readable: str = "always"
    """Which pages of uploads can be read."""
    ended_parts: str = "gone"
    """What ListParts answers for an upload that has ended."""
    parts_key: str = "checked"
    parts_versions: str = "newest"
    parts_order: str = "number"
    parts_given: str = "last"
    parts_taken: str = "number"
    parts_size: str = "as asked"
    parts_truncated: str = "as is"
    parts_refused: str = "never"


HONEST = Behaviour()
LIES: dict[str, dict[str, object]] = {
    "order: key and id": {"order": "key, id"},
    "order: key.id": {"order": "key.id"},
    "order: initiation": {"order": "initiation"},
    "order: none, but always the same": {"order": "hash"},
    "ids alone order, mark and go on": {"order": "id", "given": "id", "taken": "id"},
    "a token marks": {"order": "hash", "given": "token", "taken": "token"},
    "key and next item marked": {"given": "next", "taken": "inclusive", "ended": "empty"},
    "own marker refused: 400": {"order": "key", "taken": "400"},
    "own marker refused: 404": {"order": "key", "taken": "404"},
    "own marker refused, order within a key by activity": {"order": "activity", "taken": "400"},
    "given: key alone": {"order": "key", "given": "key"},
    "given: id alone": {"given": "id"},
    "given: nothing": {"given": "nothing"},
    "given: the same": {"given": "same"},
    "given: two in turn": {"given": "in turn"},
    "taken: ignored": {"taken": "ignored"},
    "taken: inclusive": {"taken": "pair inclusive"},
    "taken: id ignored": {"order": "key", "taken": "key"},
    "taken: id ignored, key inclusive": {"order": "key", "taken": "key inclusive"},
    "taken: key equals": {"order": "key, id", "taken": "key equals"},
    "taken: as an index": {"given": "index", "taken": "index"},
    "ended marker: 400": {"ended": "400"},
    "ended marker: 404": {"ended": "404"},
    "ended marker: an empty page": {"ended": "empty"},
    "ended marker: from the beginning": {"ended": "all"},
    "size: ignored": {"size": "ignored"},
    "size: two at most": {"size": "two at most"},
    "size: one more": {"size": "one more"},
    "size: one less": {"size": "one less"},
    "size: the last item left out": {"size": "last left out"},
    "truncated: unsaid": {"truncated": "unsaid"},
    "truncated: unsaid at the end": {"truncated": "unsaid at the end"},
    "truncated: where the page is full": {"truncated": "full"},
    "truncated: for ever": {"truncated": "true"},
    "truncated: never": {"truncated": "false"},
    "pages filtered": {"filtered": True, "order": "key", "given": "pair", "taken": "pair"},
    "prefix: ignored": {"prefix": "ignored"},
    "prefix: exact keys only": {"prefix": "exact"},
    "prefix: finds nothing": {"prefix": "nothing"},
    "prefix: refused": {"prefix": "refused"},
    "restart forgets": {"listing": "forgets"},
    "restart forgets, exact keys only, by initiation": {
        "listing": "forgets",
        "prefix": "exact",
        "order": "initiation",
        "size": "ignored",
        "taken": "ignored",
    },
    "empty now and then": {"listing": "empty now and then"},
    "a page empty now and then": {"listing": "page empty now and then"},
    "short now and then": {"listing": "short now and then"},
    "some never listed": {"listing": "some never"},
    "nodes in turn": {"listing": "nodes in turn"},
    "ghosts": {"ghosts": "all"},
    "some ghosts": {"ghosts": "some"},
    "ghosts by name, too": {"ghosts": "by name"},
    "keys: trimmed": {"shown": "trimmed"},
    "keys: padded": {"shown": "padded"},
    "keys: no control characters": {"shown": "replaced"},
    "keys: line feeds": {"shown": "line feeds"},
    "every item twice": {"repeats": "twice"},
    "the last item again": {"repeats": "last"},
    "the first item again and again": {"repeats": "first"},
    "control characters garble": {"readable": "encoded"},
    "control characters fail": {"readable": "encoded, or 500"},
    "garbled now and then": {"readable": "now and then"},
    "zombies": {"ended_parts": "none"},
    "parts: of any key": {"parts_key": "ignored"},
    "parts: old versions, too": {"parts_versions": "all"},
    "parts: in any order": {"parts_order": "any"},
    "parts: marker 0": {"parts_given": "0"},
    "parts: no marker": {"parts_given": "none"},
    "parts: next one marked": {"parts_given": "next", "parts_taken": "inclusive"},
    "parts: marker inclusive": {"parts_taken": "inclusive"},
    "parts: marker ignored": {"parts_taken": "ignored"},
    "parts: marker as an index": {"parts_taken": "index"},
    "parts: size ignored": {"parts_size": "ignored"},
    "parts: truncated unsaid": {"parts_truncated": "unsaid"},
    "parts: truncated for ever": {"parts_truncated": "true"},
    "parts: truncated never": {"parts_truncated": "false"},
    "parts: truncated where the page is full": {"parts_truncated": "full"},
    "parts: refused": {"parts_refused": "403"},
    "parts: 500 where there are none": {"parts_refused": "500 for none"},
}
"""The fields that each lie changes. Two that change the same field exclude each other."""


def behaviour(lies: Sequence[str]) -> Behaviour:
    """Return how a server behaves that tells all of these lies."""
    return replace(HONEST, **{name: value for lie in lies for name, value in LIES[lie].items()})


def exclude(one: str, other: str) -> bool:
    """Whether two lies cannot be told by one server."""
    return not LIES[one].keys().isdisjoint(LIES[other])


def refusal(status: int, code: str) -> StoreError:
    reason = {403: Reason.ACCESS_DENIED, 500: Reason.SERVER_ERROR, 501: Reason.UNSUPPORTED}
    return StoreError(reason.get(status, Reason.BAD_RESPONSE), code, code=code, status=status)


_INVISIBLE = [InProgress(key, "", NOW, 0, 0) for key in ("0", "a/0", "a/10", "aa", "ab0", "c0", "z")]
"""What a page is counted with and does not show: objects, uploads of somebody else."""
GARBLED = StoreError(Reason.BAD_RESPONSE, "not XML", status=200, garbled=True)
GONE = GoneError(Reason.BAD_RESPONSE, "it has ended", status=404, code="NoSuchUpload")


class Liar:
    """The store. `node` is which of two it is, None for both; each lists the uploads begun there."""

    has_part_times = True
    has_initiation_times = True
    lists_by_key = True
    encodes_keys = True
    operations = ("ListMultipartUploads", "ListParts")
    page_operations = S3_OPERATIONS
    signing_region = "nowhere-1"

    def __init__(
        self, bucket: Bucket, lies: Sequence[str], page_size: int | None, seed: int, node: int | None = None
    ) -> None:
        self.behaviour = behaviour(lies)
        self._bucket = bucket
        self._page_size = page_size or UNLIMITED
        self._random = random.Random(seed)
        self._node = node
        self._listings = self._pages = 0
        self._short = False

    def open(self, bucket: BucketSettings, deadline: float) -> LiarSession:
        return LiarSession(self.answer, self._random)

    def new_part_sum(self) -> NumberedPartSum:
        return NumberedPartSum()

    def close(self) -> None:
        """Have nothing to close."""

    def answer(self, request: PageRequest) -> Page[Any] | StoreError:
        """Let happen what happens before this request, and answer it."""
        self._bucket.before_request()
        if request.upload is not None:
            return self._list_parts(request.upload, request.marker)
        return self._list_uploads(
            request.bucket.prefix or "", request.marker or ("", ""), encoded=request.encoded
        )

    # Uploads

    def _list_uploads(self, prefix: str, marker: Marker, *, encoded: bool) -> Page[Upload] | StoreError:
        does = self.behaviour
        self._pages += 1
        if prefix and does.prefix == "refused":
            return refusal(501, "NotImplemented")
        by_name = any(each.key == prefix for each in self._bucket.ever)
        if not any(marker) and not by_name:
            self._listings += 1
            self._short = self._listings % 2 == 0
        if does.listing == "empty now and then" and self._short and not by_name:
            return Page((), truncated=False)
        if does.listing == "page empty now and then" and self._pages % 3 == 0 and not by_name:
            return Page((), truncated=False)
        known = self._known(prefix, by_name=by_name) + (_INVISIBLE if does.filtered else [])
        known = sorted(known, key=self._place)
        rest = self._after(known, *marker)
        return rest if isinstance(rest, StoreError) else self._page(known, rest, encoded=encoded)

    def _known(self, prefix: str, *, by_name: bool) -> list[InProgress]:
        """Return what a listing of this prefix knows of."""
        return [
            each
            for each in self._bucket.ever
            if self._listed(each, by_name=by_name) and self._found(each, prefix)
        ]

    def _listed(self, each: InProgress, *, by_name: bool) -> bool:
        does = self.behaviour
        if each.ended is not None:
            ghost = does.ghosts == "by name" or (not by_name and does.ghosts == "all")
            ghost = ghost or (
                not by_name and does.ghosts == "some" and crc32(each.upload_id.encode()) % 2 == 0
            )
            if not ghost:
                return False
        if by_name:
            return True
        if self._node is not None and each.node != self._node:
            return False
        odd = crc32(each.upload_id.encode()) % 2 == 1
        return not (
            (does.listing == "forgets" and each.begun < self._bucket.restarted)
            or (does.listing == "short now and then" and self._short and odd)
            or (does.listing == "some never" and odd)
            or (does.listing == "nodes in turn" and each.node != self._listings % 2)
        )

    def _found(self, each: InProgress, prefix: str) -> bool:
        if not prefix or self.behaviour.prefix == "ignored":
            return True
        if self.behaviour.prefix == "exact":
            return each.key == prefix
        return self.behaviour.prefix != "nothing" and each.key.startswith(prefix)

    def _place(self, each: InProgress) -> tuple[object, ...]:
        return {
            "key": (each.key.encode(), each.initiated, each.upload_id),
            "key, id": (each.key.encode(), each.upload_id),
            "key.id": (f"{each.key}.{each.upload_id}".encode(),),
            "id": (each.upload_id,),
            "initiation": (each.initiated, each.upload_id),
            "activity": (each.key.encode(), each.activity, each.upload_id),
            "hash": (crc32(each.upload_id.encode()), each.upload_id),
        }[self.behaviour.order]

    def _after(  # noqa: PLR0911 - a marker means many things
        self, known: list[InProgress], key: str, name: str
    ) -> list[InProgress] | StoreError:
        """Return the uploads after a marker, a key or an id or both."""
        taken = self.behaviour.taken
        if taken == "ignored" or not (key or name):
            return known
        if taken in {"token", "index"}:
            return self._after_token(known, key)
        if taken in {"400", "404"} and name:
            return refusal(int(taken), "InvalidArgument" if taken == "400" else "NoSuchUpload")
        if taken == "id":
            return self._after_id(known, key, name)
        if not key:
            return known  # as on Amazon: an id marker alone counts for nothing
        if taken == "key equals":
            return [each for each in known if each.key == key and (not name or each.upload_id > name)]
        inclusive = taken in {"pair inclusive", "inclusive", "key inclusive"}
        if not name or taken in {"key", "key inclusive"}:
            lowest = key.encode()
            return [
                each
                for each in known
                if each.key.encode() > lowest or (taken in {"inclusive", "key inclusive"} and each.key == key)
            ]
        return self._after_pair(known, key, name, inclusive=inclusive)

    def _after_id(self, known: list[InProgress], key: str, name: str) -> list[InProgress]:
        if key:
            known = [each for each in known if each.key == key]
        return [each for each in known if each.upload_id > name]

    def _after_pair(
        self, known: list[InProgress], key: str, name: str, *, inclusive: bool
    ) -> list[InProgress] | StoreError:
        marked = next((each for each in self._bucket.ever if each.upload_id == name), None)
        if marked is None or marked.key != key:
            return refusal(400, "InvalidArgument")
        if marked.ended is not None and marked not in known:
            ended = self.behaviour.ended
            if ended in {"400", "404"}:
                return refusal(int(ended), "InvalidArgument" if ended == "400" else "NoSuchUpload")
            if ended in {"empty", "all"}:
                return known if ended == "all" else []
        place = self._place(marked)
        return [each for each in known if self._place(each) > place or (inclusive and each is marked)]

    def _after_token(self, known: list[InProgress], token: str) -> list[InProgress] | StoreError:
        kind, _, name = token.partition(":")
        if kind == "index":
            return known[int(name) :]
        marked = next((each for each in self._bucket.ever if each.upload_id == name), None)
        if kind != "token" or marked is None:
            return refusal(400, "InvalidArgument")
        return [each for each in known if self._place(each) > self._place(marked)]

    def _page(
        self, known: list[InProgress], rest: list[InProgress], *, encoded: bool
    ) -> Page[Upload] | StoreError:
        does, asked = self.behaviour, self._page_size
        limit = {"ignored": UNLIMITED, "two at most": min(asked, 2), "one more": asked + 1}.get(
            does.size, asked
        )
        limit = max(1, asked - 1) if does.size == "one less" else limit
        page, more = rest[:limit], len(rest) > limit
        shown = page[:-1] if does.size == "last left out" and len(page) > 1 and more else page
        shown = [each for each in shown if each.upload_id]
        unreadable = any(char < " " for each in shown for char in each.key) and not encoded
        if unreadable and does.readable == "encoded, or 500":
            return refusal(500, "InternalError")
        garbled = does.readable == "now and then" and self._random.random() < 0.2
        if garbled or (unreadable and does.readable == "encoded"):
            return GARBLED
        items = [self._shown(each) for each in shown]
        items = self._repeated(known, items)
        truncated = {
            "as is": more,
            "unsaid": None,
            "unsaid at the end": True if more else None,
            "full": len(page) >= limit,
            "true": True,
            "false": False,
        }[does.truncated]
        at_end = not more and truncated is None
        return Page(
            items,
            truncated=truncated,
            next_marker=None if at_end or not page else self._next_marker(known, page, rest[limit:]),
            last_marker=items[-1][:2] if items else None,
        )

    def _next_marker(
        self, known: list[InProgress], page: list[InProgress], rest: list[InProgress]
    ) -> Marker | None:
        last = page[-1]
        following = rest[0] if rest else last
        turn = known[0] if self._pages % 2 else last
        key = last.key if self.behaviour.shown == "trimmed" else self._shown(last).key
        return {
            "pair": (key, last.upload_id),
            "key": (key, ""),
            "id": ("", last.upload_id),
            "nothing": None,
            "next": (self._shown(following).key, following.upload_id),
            "same": (known[0].key, known[0].upload_id),
            "in turn": (turn.key, turn.upload_id),
            "token": (f"token:{last.upload_id}", ""),
            "index": (f"index:{len(known) - len(rest)}", ""),
        }[self.behaviour.given]

    def _shown(self, each: InProgress) -> Upload:
        changes: dict[str, Callable[[str], str]] = {
            "as is": str,
            "trimmed": str.strip,
            "padded": " {} ".format,
            "replaced": lambda key: "".join("\ufffd" if char < " " else char for char in key),
            "line feeds": lambda key: key.replace("\r", "\n"),
        }
        moved = self.behaviour.order == "activity"
        key = changes[self.behaviour.shown](each.key) or each.key
        return Upload(key, each.upload_id, each.activity if moved else each.initiated)

    def _repeated(self, known: list[InProgress], items: list[Upload]) -> list[Upload]:
        repeats = self.behaviour.repeats
        if not items or repeats == "none":
            return items
        if repeats == "twice":
            return [item for item in items for _ in range(2)]
        first = next(each for each in known if each.upload_id)
        return [*items, items[-1]] if repeats == "last" else [self._shown(first), *items]

    # Parts

    def _list_parts(self, upload: Upload, marker: Marker | None) -> Page[Part] | StoreError:
        does = self.behaviour
        found = [
            each
            for each in self._bucket.ever
            if each.upload_id == upload.upload_id and (does.parts_key == "ignored" or each.key == upload.key)
        ]
        if not found or found[0].ended is not None:
            return Page(Parts.of(()), truncated=False) if found and does.ended_parts == "none" else GONE
        each = found[0]
        if does.parts_refused == "403":
            return refusal(403, "AccessDenied")
        if does.parts_refused == "500 for none" and not each.parts:
            return refusal(500, "InternalError")
        return self._page_of_parts(each, int(marker[0]) if marker else 0)

    def _page_of_parts(self, each: InProgress, marker: int) -> Page[Part]:
        does = self.behaviour
        limit = UNLIMITED if does.parts_size == "ignored" else self._page_size
        versions = each.versions if does.parts_versions == "all" else list(each.parts.values())
        known = sorted(versions, key=lambda part: (part.start, self._random.random()))
        rest = {
            "number": [part for part in known if part.start > marker],
            "inclusive": [part for part in known if part.start >= marker],
            "ignored": known,
            "index": known[marker:],
        }[does.parts_taken]
        while limit < len(rest) and limit and rest[limit].start == rest[limit - 1].start:
            limit += 1  # all versions of a part are on one page
        page, more = rest[:limit], len(rest) > limit
        last = page[-1].start if page else 0
        given = {
            "last": last,
            "0": 0,
            "none": 0,
            "next": rest[limit].start if more else 0,
        }[does.parts_given]
        if does.parts_order == "any":
            self._random.shuffle(page)
        truncated = {
            "as is": more,
            "unsaid": None,
            "true": True,
            "false": False,
            "full": len(page) >= limit,
        }[does.parts_truncated]
        return Page(
            Parts.of(page),
            truncated=truncated,
            next_marker=(str(given),) if given and (more or truncated) else None,
            last_marker=(str(page[-1].start),) if page else None,
        )


class LiarSession:
    """Calls that are answered one by one, in any order."""

    listing_start = ListingStart.ANY_KEY

    def __init__(self, answer: Callable[[PageRequest], Any], order: random.Random) -> None:
        self._answer = answer
        self._random = order
        self._waiting: list[tuple[object, PageRequest]] = []

    def start(self, request: PageRequest, deadline: float, label: object) -> None:
        self._waiting.append((label, request))

    def completed(self, timeout: float) -> list[tuple[object, Any]]:
        if not self._waiting:
            return []
        label, request = self._waiting.pop(self._random.randrange(len(self._waiting)))
        return [(label, self._answer(request))]

    def close(self) -> None:
        self._waiting.clear()

"""S3 without an SDK in the way of each call: many in flight on the thread of the scan, signed and read here.

boto3 says where a bucket is, how it is addressed and whose keys count; it also follows a redirect, once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pycurl

from exporter.model.errors import GoneError, Reason, StoreError
from exporter.stores.aws.sse_customer_key import is_not_needed
from exporter.stores.base import PARTS_OPERATION, UPLOADS_OPERATION
from exporter.stores.errors import gone_error, is_gone, refusal
from exporter.stores.parsing.pages import error_fields, read_error, read_parts, read_uploads
from exporter.stores.s3.boto import name_to_prove
from exporter.stores.transport.errors import from_curl

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import ReadOnlyCredentials

    from exporter.config.settings import BucketSettings
    from exporter.stores.aws.route import Argument, Route
    from exporter.stores.base import CompletedCall, Page, PageRequest
    from exporter.stores.s3.boto import BotoStore
    from exporter.stores.transport.client import Transport
    from exporter.stores.transport.response import Answer

KEYS_SECONDS = 1.0
"""So long are keys used before the SDK is asked again whether they are still the ones."""
SKEW_SECONDS = 2.0
"""Clocks that differ by less are not what a server complains of: its Date header has whole seconds."""
_MISDIRECTED = {301, 302, 303, 307, 308}
_ELSEWHERE_CODES = {"PermanentRedirect", "IllegalLocationConstraintException"}


class Keys:
    """The keys to sign with, asked for again every second: temporary ones and files rotate."""

    def __init__(self, ask: Callable[[float], ReadOnlyCredentials], monotonic: Callable[[], float]) -> None:
        """Make it of what returns the present keys before a deadline."""
        self._ask = ask
        self._monotonic = monotonic
        self._known: ReadOnlyCredentials | StoreError | None = None
        self._stale_at = 0.0

    def now(self, deadline: float) -> ReadOnlyCredentials:
        """Return the keys. Raises StoreError, the same one for a second."""
        if self._known is None or self._monotonic() >= self._stale_at:
            return self.renewed(deadline)
        if isinstance(self._known, StoreError):
            raise self._known
        return self._known

    def renewed(self, deadline: float) -> ReadOnlyCredentials:
        """Return the keys, asked for anew. Raises StoreError."""
        try:
            self._known = keys = self._ask(deadline)
        except StoreError as error:
            self._known = error
            raise
        finally:
            self._stale_at = self._monotonic() + KEYS_SECONDS
        return keys


class Wire:
    """What the scans of one target share: the keys, the server's clock, the ways to its buckets."""

    def __init__(
        self,
        transport: Transport,
        boto: BotoStore,
        page_size: int | None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make it for a target's transport and boto3; `clock` is Unix seconds."""
        self.transport = transport
        self.boto = boto
        self.page_size = page_size
        self.clock = clock
        self.monotonic = monotonic
        self.keys = Keys(boto.credentials, monotonic)
        self.skew = 0.0
        """Seconds by which the server's clock is ahead of ours."""
        self._routes: dict[str, Route | None] = {}

    def route(self, bucket: BucketSettings, deadline: float) -> Route | None:
        """Return the way to a bucket, None where it is not one of plain signatures. Raises StoreError."""
        if bucket.name not in self._routes:
            self._routes[bucket.name] = self.boto.route(bucket, deadline)
        return self._routes[bucket.name]

    def remember(self, bucket: BucketSettings, route: Route | None) -> None:
        """Note the way to a bucket that turned out to be elsewhere."""
        self._routes[bucket.name] = route


@dataclass(slots=True, eq=False)
class _Sent:
    """A call in flight, and what it was signed with."""

    ask: PageRequest
    deadline: float
    label: object
    keys: ReadOnlyCredentials | None = None
    skew: float = 0.0
    again: bool = False
    with_key: bool = True

    @property
    def operation(self) -> str:
        return PARTS_OPERATION if self.ask.upload else UPLOADS_OPERATION


class WireSession:
    """The calls of one scan of one bucket."""

    def __init__(self, wire: Wire, bucket: BucketSettings, route: Route) -> None:
        """Make them go this way."""
        self._wire = wire
        self._bucket = bucket
        self._route = route
        self._name = name_to_prove(bucket.name)
        self._multi = wire.transport.borrow()
        self._unsent: list[CompletedCall] = []
        self._redirected = False
        self._keyed: tuple[Route, tuple[tuple[str, str], ...], Route] | None = None

    def start(self, request: PageRequest, deadline: float, label: object) -> None:
        """Send a call."""
        sent = _Sent(request, deadline, label)
        try:
            self._send(sent)
        except StoreError as error:
            self._unsent.append((label, error))

    def completed(self, timeout: float) -> list[CompletedCall]:
        """Wait for the calls that end next, at most `timeout` seconds."""
        answered, self._unsent = self._unsent, []
        for label, outcome, sendings in self._multi.done(0.0 if answered else timeout):
            sent: _Sent = label  # type: ignore[assignment]  # what we gave
            for _ in range(sendings - 1):
                self._wire.transport.traffic.sent(sent.operation)
            page = self._outcome(sent, outcome)
            if page is not None:
                answered.append((sent.label, page))
        return answered

    def close(self) -> None:
        """Give up what is in flight."""
        self._wire.transport.give_back(self._multi)

    def _send(self, sent: _Sent) -> None:
        wire = self._wire
        sent.keys, sent.skew = wire.keys.now(sent.deadline), wire.skew
        remaining = sent.deadline - wire.monotonic()  # after the keys, which may have taken their time
        if remaining <= 0:
            raise StoreError(Reason.TIMEOUT, f"{sent.operation}: no time left", retryable=True)
        key = sent.ask.upload.key if sent.ask.upload else ""
        try:
            now = wire.clock() + sent.skew
            url, lines = self._way(sent).request(sent.keys, key, self._arguments(sent.ask), now)
        except UnicodeError:
            what = f"{sent.operation}: the key is not Unicode and cannot be asked for"
            raise StoreError(Reason.UNSUPPORTED, what) from None
        try:
            self._multi.start(url, lines, remaining, sent)
        except ValueError:  # the keys are in the headers
            what = f"{sent.operation}: no header can carry the keys; check the target's credentials"
            raise StoreError(Reason.CREDENTIALS, what) from None
        wire.transport.traffic.sent(sent.operation)

    def _way(self, sent: _Sent) -> Route:
        """Return the way of a call; one that lists parts carries the customer's key, over TLS only."""
        if not (sent.ask.upload and sent.with_key):
            return self._route
        headers = self._wire.boto.customer_key.headers()
        sent.with_key = bool(headers) and self._route.origin.startswith("https:")
        if not sent.with_key:
            return self._route
        if self._keyed is None or self._keyed[:2] != (self._route, headers):
            self._keyed = self._route, headers, self._route.with_headers(headers)
        return self._keyed[2]

    def _arguments(self, ask: PageRequest) -> list[Argument]:
        """Return the call's parameters in the order in which boto3 sends them; what is empty is left out."""
        if ask.upload is None:
            key_marker, id_marker = ask.marker or ("", "")
            own: list[Argument] = [
                ("prefix", self._bucket.prefix),
                ("key-marker", key_marker),
                ("upload-id-marker", id_marker),
                ("max-uploads", self._wire.page_size),
            ]
            return [("uploads", None), *(pair for pair in own if pair[1])]
        arguments: list[Argument] = [("uploadId", ask.upload.upload_id)]
        if ask.marker:
            arguments.append(("part-number-marker", ask.marker[0]))
        if self._wire.page_size:
            arguments.append(("max-parts", self._wire.page_size))
        return arguments

    def _outcome(self, sent: _Sent, outcome: Answer | pycurl.error) -> Page[Any] | StoreError | None:
        """Return what a call came to, None where it was sent again."""
        try:
            if isinstance(outcome, pycurl.error):
                raise from_curl(sent.operation, outcome)
            if outcome.status == HTTPStatus.OK:
                return self._read(sent, outcome)
            return self._refused(sent, outcome)
        except GoneError as error:
            return error
        except StoreError as error:
            self._wire.transport.traffic.failed(sent.operation, error.reason)
            return error

    def _read(self, sent: _Sent, answer: Answer) -> Page[Any]:
        read = read_parts if sent.ask.upload else read_uploads
        return read(answer, self._name, self._wire.clock())

    def _refused(self, sent: _Sent, answer: Answer) -> Page[Any] | None:
        """Try once more where that helps: other keys, another clock, another region. Raises StoreError."""
        error = refusal(sent.operation, answer, *read_error(answer.body))
        if sent.ask.upload and is_gone(error):
            raise gone_error(sent.operation, error)
        if not sent.ask.upload and not self._redirected and self._is_elsewhere(answer, error):
            return self._redirect(sent)
        if sent.ask.upload and sent.with_key and is_not_needed(error):
            sent.with_key = False
            self._send(sent)
            return None
        if not sent.again and self._may_pass_now(sent, answer, error):
            sent.again = True
            self._send(sent)
            return None
        raise error

    def _may_pass_now(self, sent: _Sent, answer: Answer, error: StoreError) -> bool:
        """Whether the call was signed for another time than the server's, or with keys since replaced."""
        wire = self._wire
        if error.code == "RequestTimeTooSkewed":
            now = wire.clock()
            wire.skew = answer.moment(default=now) - now
            return abs(wire.skew - sent.skew) >= SKEW_SECONDS
        return error.reason is Reason.CREDENTIALS and wire.keys.renewed(sent.deadline) != sent.keys

    def _is_elsewhere(self, answer: Answer, error: StoreError) -> bool:
        """Whether a refusal says that the bucket is in another region."""
        region = answer.headers.get("x-amz-bucket-region", self._route.region)
        malformed = error.code == "AuthorizationHeaderMalformed" and "Region" in error_fields(answer.body)
        said = answer.status in _MISDIRECTED or error.code in _ELSEWHERE_CODES or malformed
        return said or region != self._route.region

    def _redirect(self, sent: _Sent) -> Page[Any]:
        """Have boto3 find the bucket, which it does with the call itself, and go its way from now on."""
        self._redirected = True
        page, route = self._wire.boto.follow(self._bucket, sent.ask.marker, sent.deadline)
        self._wire.remember(self._bucket, route)
        self._route = route or self._route
        return page

"""Makes one call of each kind that scans make, per target: which are allowed, what to grant."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from exporter.cli.oneshot import OneShot, attempt
from exporter.cli.probe_notes import notes, noting_servers
from exporter.model.errors import Failure, GoneError, NotAnUploadError, Reason, StoreError
from exporter.scan.examination.cross_examination import PREFIX_BROKEN
from exporter.scan.examination.prefix_check import is_prefix_broken
from exporter.scan.examination.questions import is_denied_twice
from exporter.scan.reported_uploads import asks_own_count, reported_uploads
from exporter.stores.base import CEPH_ADMIN_OPERATION, LIFECYCLE_OPERATION, PageRequest
from exporter.stores.engine.retry import Deadline
from exporter.stores.pagination.listing import list_next_page, uploads_paginator
from exporter.stores.permissions import missing_permission
from exporter.stores.registry import store_type
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from exporter.cli.oneshot import TargetSession
    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import AbortRules
    from exporter.model.targets import Selection
    from exporter.model.uploads import Upload
    from exporter.stores.pagination.listing import Task

T = TypeVar("T")

DEFAULT_BUCKETS_PER_TARGET = 3
"""Number of buckets per target that are queried without --all-buckets or --bucket."""
UPLOADS_PER_BUCKET = 10
"""Maximum number of uploads per bucket that are asked for their parts."""


class ProbeResult(NamedTuple):
    """The result of one kind of call. `failure` is None where it was allowed or not tried.

    `grant` is the missing permission, '' where none would help; `untried` is why it was not tried; `notes`
    are what to know about the bucket's numbers.
    """

    target: str
    bucket: str
    operation: str
    failure: Failure | None = None
    grant: str = ""
    untried: str = ""
    notes: tuple[str, ...] = ()


def probe(targets: Sequence[TargetSettings], names: frozenset[str], *, every: bool) -> list[ProbeResult]:
    """Query a few buckets of each target, the buckets of these `names` if any, or `every` bucket.

    An exception in the waiting thread (a signal handler's) cancels what is running.
    """
    limit = None if every or names else DEFAULT_BUCKETS_PER_TARGET
    return list(chain.from_iterable(OneShot(targets).for_each_target(partial(_probe, names, limit))))


def _probe(names: frozenset[str], limit: int | None, session: TargetSession) -> list[ProbeResult]:
    """Query one target. Raises StoppingError, and nothing else."""
    rows: list[ProbeResult] = []
    found = attempt(session.find, session.target.name)
    if session.target.discover:
        operation = store_type(session.target.store).buckets_operation
        rows.append(_result(session.target, "", operation, found))
    if isinstance(found, Failure):
        return rows
    buckets, selection = found
    if selection and selection.problem:
        rows.append(_nothing_matches(session.target, selection))
    selected = [bucket for bucket in buckets if not names or bucket.name in names]
    for outcome in session.for_each(selected[:limit], lambda bucket: list(_probe_bucket(session, bucket))):
        if isinstance(outcome.value, Failure):  # a bug of ours
            operation = session.client.store.page_operations.uploads
            rows.append(_result(session.target, outcome.bucket, operation, outcome.value))
        else:
            rows += outcome.value
    if skipped := len(selected[limit:]) if limit is not None else 0:
        text = f"{skipped:,} more buckets: name them with --bucket, or ask --all-buckets"
        rows.append(ProbeResult(session.target.name, "...", "-", untried=text))
    return rows


def _nothing_matches(target: TargetSettings, selection: Selection) -> ProbeResult:
    """Return the row of a discovery that leaves no bucket, with what drops each."""
    failure = Failure(Reason.NOT_FOUND, selection.problem)
    return ProbeResult(target.name, "", "discover", failure, notes=tuple(map(str, selection.dropped)))


def _probe_bucket(session: TargetSession, bucket: BucketSettings) -> Iterator[ProbeResult]:
    target, name = session.target, session.target.name
    servers: set[str] = set()
    first_page = noting_servers(list_next_page(uploads_paginator(), bucket), servers)
    uploads = attempt(partial(_call, session, bucket, first_page), name, bucket.name)
    noted = tuple(notes(target, bucket, servers))
    if bucket.prefix and not uploads and session.client.store.lists_by_key:
        uploads = attempt(partial(_list_without_prefix, session, bucket), name, bucket.name)
        noted += (PREFIX_BROKEN,) if uploads else ()
    operation = session.client.store.page_operations.uploads
    yield _result(target, bucket.name, operation, uploads)._replace(notes=noted)
    if target.scan.parts != "never":
        yield _probe_parts(session, bucket, uploads)
    if target.lifecycle:
        rules = attempt(partial(_rules, session, bucket), name, bucket.name)
        yield _result(target, bucket.name, LIFECYCLE_OPERATION, rules)
    if target.tags:
        tags = attempt(partial(_tags, session, bucket), name, bucket.name)
        yield _result(target, bucket.name, store_type(target.store).tags_operation, tags)
    if asks_own_count(target, bucket):
        count = attempt(partial(_own_count, session, bucket), name, bucket.name)
        yield _result(target, bucket.name, CEPH_ADMIN_OPERATION, count)


def _list_without_prefix(session: TargetSession, bucket: BucketSettings) -> Collection[Upload]:
    """Return uploads of the prefix where the store does not list by it, else none. Raises StoreError."""
    if not _call(session, bucket, is_prefix_broken(bucket)):
        return ()
    page = _call(session, bucket, list_next_page(uploads_paginator(), replace(bucket, prefix=None)))
    return [upload for upload in page if upload.key.startswith(bucket.prefix or "")]


def _probe_parts(
    session: TargetSession, bucket: BucketSettings, uploads: Collection[Upload] | Failure
) -> ProbeResult:
    operation = session.client.store.page_operations.parts
    if isinstance(uploads, Failure):
        untried = "the uploads cannot be listed"
        return ProbeResult(session.target.name, bucket.name, operation, untried=untried)
    asked = list(uploads)[:UPLOADS_PER_BUCKET]
    for upload in asked:
        task = _first_parts(bucket, upload)
        found = attempt(partial(_call, session, bucket, task), session.target.name, bucket.name)
        if found is not None:
            return _result(session.target, bucket.name, operation, found)
    if asked:
        query = partial(_check_gone, session, bucket, asked)
        if failed := attempt(query, session.target.name, bucket.name):
            return _result(session.target, bucket.name, operation, failed)
    untried = "no upload is there to ask about"
    return ProbeResult(session.target.name, bucket.name, operation, untried=untried)


def _check_gone(session: TargetSession, bucket: BucketSettings, gone: Sequence[Upload]) -> None:
    """List a page once more. Raises StoreError (bad_response) where it has uploads that ListParts denied."""
    page = _call(session, bucket, list_next_page(uploads_paginator(), bucket))
    listed = {upload[:2] for upload in page}
    again = [upload for upload in gone if upload[:2] in listed]
    if not again:
        return
    by_name = session.client.store.lists_by_key
    denied = by_name and all(_call(session, bucket, is_denied_twice(bucket, each)) for each in again)
    what = "uploads that it otherwise denies" if denied else "keys that it then does not know"
    text = f"the store lists {what}, the first is {one_line(again[0].key)!r}"
    raise StoreError(Reason.BAD_RESPONSE, f"{session.client.store.page_operations.parts}: {text}")


def _first_parts(bucket: BucketSettings, upload: Upload) -> Task[int | None]:
    """List the first page of an upload's parts; return their number, None where the upload has ended."""
    try:
        page = yield PageRequest(bucket, upload, None)
    except GoneError:
        return None
    except NotAnUploadError:
        return 0
    return len(page.items)


def _rules(session: TargetSession, bucket: BucketSettings) -> AbortRules:
    """Return what the bucket's lifecycle rules say. Raises StoreError and StoppingError."""
    client = session.client
    return client.call(partial(client.store.abort_rules, bucket), _deadline(session))


def _tags(session: TargetSession, bucket: BucketSettings) -> Mapping[str, str]:
    """Return the bucket's tags. Raises StoreError and StoppingError."""
    client = session.client
    return client.call(partial(client.store.bucket_tags, bucket), _deadline(session))


def _own_count(session: TargetSession, bucket: BucketSettings) -> int:
    """Return how many uploads the store itself counts. Raises StoreError and StoppingError."""
    client = session.client
    return client.call(partial(reported_uploads, client.store, bucket), _deadline(session))


def _call(session: TargetSession, bucket: BucketSettings, task: Task[T]) -> T:
    """Return the task's result, with retries as in a scan. Raises StoreError and StoppingError."""
    deadline = _deadline(session)
    executor = session.scanner().open(bucket, deadline)
    try:
        executor.start(task, None, session.client.retry_policy(Deadline(deadline)))
        [(_, outcome)] = executor.completed()
    finally:
        executor.close()
    if isinstance(outcome, Exception):
        raise outcome
    return cast("T", outcome)


def _deadline(session: TargetSession) -> float:
    scan = session.target.scan
    return session.client.clocks.monotonic() + scan.request_timeout * (1 + scan.retries)


def _result(target: TargetSettings, bucket: str, operation: str, found: object) -> ProbeResult:
    if not isinstance(found, Failure):
        return ProbeResult(target.name, bucket, operation)
    missing = missing_permission(target, bucket, operation, found)
    return ProbeResult(target.name, bucket, operation, found, missing)

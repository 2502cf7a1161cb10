"""Asks every target one page of each kind of call that its scans make: what is allowed, and why not."""

from __future__ import annotations

import random
import time
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from exporter.cli.oneshot import OneShot, attempt
from exporter.config.settings import StoreKind
from exporter.model.errors import Failure, GoneError, Reason
from exporter.stores.base import PageRequest
from exporter.stores.engine.retry import RetryPolicy, retried
from exporter.stores.pagination import new_listing, next_page
from exporter.stores.permissions import BUCKETS, LISTING, PARTS, RULES, VAULTS, grant, grant_role

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from exporter.cli.oneshot import TargetSession
    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import AbortRules
    from exporter.model.uploads import Upload
    from exporter.stores.pagination import Task

T = TypeVar("T")

BUCKETS_OF_A_TARGET = 3
"""So many buckets of each target are asked about, unless all are to be."""


class Probed(NamedTuple):
    """What came of one kind of call. `failure` is None where it was allowed, or could not be tried.

    `grant` is what allows it, '' where that is not what is missing; `untried` says why it was not tried.
    """

    target: str
    bucket: str
    operation: str
    failure: Failure | None = None
    grant: str = ""
    untried: str = ""


def probe(targets: Sequence[TargetSettings], names: frozenset[str], *, every: bool) -> list[Probed]:
    """Ask the targets: of each a few buckets, those with these `names` where there are any, or `every` one.

    Gives up what is under way where an exception (a signal handler's) ends the wait for it.
    """
    most = None if every or names else BUCKETS_OF_A_TARGET
    return list(chain.from_iterable(OneShot(targets).sites(partial(_probe, names, most))))


def _probe(names: frozenset[str], most: int | None, site: TargetSession) -> list[Probed]:
    """Ask one target. Raises StoppingError, and nothing else."""
    rows: list[Probed] = []
    found = attempt(site.buckets, site.target.name)
    if site.target.discover:
        operation = VAULTS if site.target.store is StoreKind.GLACIER else BUCKETS
        rows.append(_probed(site.target, "", operation, found))
    if isinstance(found, Failure):
        return rows
    chosen = [bucket for bucket in found if not names or bucket.name in names]
    for outcome in site.each(chosen[:most], lambda bucket: list(_probe_bucket(site, bucket))):
        if isinstance(outcome.value, Failure):  # a bug of ours
            rows.append(_probed(site.target, outcome.bucket, LISTING, outcome.value))
        else:
            rows += outcome.value
    if left := len(chosen[most:]) if most is not None else 0:
        text = f"{left:,} more buckets: name them with --bucket, or ask --all-buckets"
        rows.append(Probed(site.target.name, "...", "-", untried=text))
    return rows


def _probe_bucket(site: TargetSession, bucket: BucketSettings) -> Iterator[Probed]:
    target, name = site.target, site.target.name
    uploads = attempt(partial(_call, site, bucket, next_page(new_listing(), bucket)), name, bucket.name)
    yield _probed(target, bucket.name, LISTING, uploads)
    if target.scan.parts != "never":
        yield _probe_parts(site, bucket, uploads)
    if target.lifecycle:
        yield _probed(target, bucket.name, RULES, attempt(partial(_rules, site, bucket), name, bucket.name))


def _probe_parts(
    site: TargetSession, bucket: BucketSettings, uploads: Collection[Upload] | Failure
) -> Probed:
    if isinstance(uploads, Failure):
        return Probed(site.target.name, bucket.name, PARTS, untried="the uploads cannot be listed")
    for upload in list(uploads)[:BUCKETS_OF_A_TARGET]:
        flow = _first_parts(bucket, upload)
        found = attempt(partial(_call, site, bucket, flow), site.target.name, bucket.name)
        if found is not None:
            return _probed(site.target, bucket.name, PARTS, found)
    return Probed(site.target.name, bucket.name, PARTS, untried="no upload is there to ask about")


def _first_parts(bucket: BucketSettings, upload: Upload) -> Task[int | None]:
    """Ask for a page of the upload's parts; returns how many there are, None where the upload has ended."""
    try:
        page = yield PageRequest(bucket, upload, None)
    except GoneError:
        return None
    return len(page.items)


def _rules(site: TargetSession, bucket: BucketSettings) -> AbortRules:
    """Return what the bucket's lifecycle rules say. Raises StoreError and StoppingError."""
    ask = partial(site.store.abort_rules, bucket)
    return retried(ask, _patience(site), site.stop, time.monotonic, random.uniform)


def _call(site: TargetSession, bucket: BucketSettings, flow: Task[T]) -> T:
    """Return what the flow finds; it is tried again as in a scan. Raises StoreError and StoppingError."""
    patience = _patience(site)
    flows = site.scanner().open(bucket, patience.deadline)
    try:
        flows.start(flow, None, patience)
        [(_, outcome)] = flows.ended()
    finally:
        flows.close()
    if isinstance(outcome, Exception):
        raise outcome
    return cast("T", outcome)


def _patience(site: TargetSession) -> RetryPolicy:
    scan = site.target.scan
    seconds = scan.request_timeout * (1 + scan.retries)
    return RetryPolicy(scan.request_timeout, scan.retries, time.monotonic() + seconds)


def _probed(target: TargetSettings, bucket: str, operation: str, found: object) -> Probed:
    if not isinstance(found, Failure):
        return Probed(target.name, bucket, operation)
    return Probed(target.name, bucket, operation, found, _missing(target, bucket, operation, found))


def _missing(target: TargetSettings, bucket: str, operation: str, failure: Failure) -> str:
    """Return what to grant; '' where no grant would help."""
    if "AccessDenied" in failure.message and "AssumeRole" in failure.message:
        return grant_role(target)
    if failure.reason is not Reason.ACCESS_DENIED:
        return ""
    if "kms:" in failure.message.lower():
        return "kms:Decrypt on the key that the uploads are encrypted with"
    return grant(target, bucket, operation)

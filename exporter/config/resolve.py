"""A validated File in, Settings out: defaults handed down from file to target to bucket, paths made whole."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from exporter.config import settings

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr

    from exporter.config import models


def resolve(file: models.File, folder: Path) -> settings.Settings:
    """Return the settings of a file. `folder` is the config file's: relative paths begin there."""
    scan = settings.ScanSettings(**dict(file.scan))
    targets = tuple(_resolve_target(target, scan, folder) for target in file.targets)
    state_path = _resolve_path(file.state.path, folder)
    return settings.Settings(targets=targets, ages=tuple(file.ages), state_path=state_path)


def _resolve_scan(base: settings.ScanSettings, scan: models.Scan) -> settings.ScanSettings:
    return dataclasses.replace(base, **{key: getattr(scan, key) for key in scan.model_fields_set})


def _resolve_target(
    target: models.Target, scan: settings.ScanSettings, folder: Path
) -> settings.TargetSettings:
    buckets = [*(target.buckets or []), *(target.vaults or [])]
    return settings.TargetSettings(
        name=target.name,
        store=settings.StoreKind(target.store),
        buckets=tuple(_resolve_bucket(bucket, target) for bucket in buckets),
        scan=_resolve_scan(scan, target.scan),
        region=target.region,
        endpoint_url=target.endpoint_url,
        addressing_style=target.addressing_style,
        engine=target.engine,
        signature=target.signature,
        account_id=target.account_id,
        stale_after=target.stale_after,
        labels=tuple(target.labels.items()),
        credentials=_resolve_credentials(target.credentials, folder),
        tls=_resolve_tls(target.tls, folder),
        proxy_url=target.proxy_url,
        request_payer=target.request_payer,
        expected_bucket_owner=target.expected_bucket_owner,
        price_per_1000_requests=target.price_per_1000_requests,
        endpoint_urls=tuple(target.endpoint_urls or ()),
        discover=_resolve_discover(target.discover),
        prefix=target.prefix or None,
        sse_customer_key=_resolve_secret(None, target.sse_customer_key_file, folder),
        lifecycle=target.lifecycle,
        price_per_gib_month=_resolve_prices(target.price_per_gib_month),
        top=_resolve_top(target.top),
    )


def _resolve_bucket(bucket: models.Bucket, target: models.Target) -> settings.BucketSettings:
    prefix = target.prefix if bucket.prefix is None else bucket.prefix
    return settings.BucketSettings(bucket.name, prefix or None, bucket.stale_after or target.stale_after)


def _resolve_discover(given: models.Discover | None) -> settings.DiscoverSettings | None:
    if given is None:
        return None
    return settings.DiscoverSettings(tuple(given.include), tuple(given.exclude), given.refresh)


def _resolve_prices(given: models.Prices | None) -> settings.Prices | None:
    if given is None:
        return None
    by_class = sorted(given.__pydantic_extra__.items())
    return settings.Prices(given.currency, given.default, tuple(by_class))


def _resolve_top(given: models.Top | None) -> settings.TopSettings | None:
    return None if given is None else settings.TopSettings(tuple(given.by), given.depth, given.limit)


def _resolve_credentials(given: models.Credentials, folder: Path) -> settings.Credentials:
    return settings.Credentials(
        profile=given.profile,
        access_key_id=_resolve_secret(given.access_key_id, given.access_key_id_file, folder),
        secret_access_key=_resolve_secret(given.secret_access_key, given.secret_access_key_file, folder),
        session_token=_resolve_secret(given.session_token, given.session_token_file, folder),
        assume_role=settings.AssumeRole(**dict(given.assume_role)) if given.assume_role else None,
    )


def _resolve_secret(text: SecretStr | None, file: str | None, folder: Path) -> settings.Secret | None:
    if text is not None:
        return settings.Secret(text=text.get_secret_value())
    return settings.Secret(file=folder / file) if file is not None else None


def _resolve_tls(tls: models.Tls, folder: Path) -> settings.TlsSettings:
    return settings.TlsSettings(
        ca_file=_resolve_path(tls.ca_file, folder),
        insecure_skip_verify=tls.insecure_skip_verify,
        cert_file=_resolve_path(tls.cert_file, folder),
        key_file=_resolve_path(tls.key_file, folder),
    )


def _resolve_path(name: str | None, folder: Path) -> Path | None:
    return None if name is None else folder / name

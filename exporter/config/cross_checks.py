"""Checks of keys against each other: the store, its credentials, names that must be unique, order of ages.

They read the plain data, in which a faulty value is INVALID, so that they run whatever else is wrong.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from exporter.config.checks import tag_label
from exporter.config.credential_checks import find_azure_faults, find_credential_faults
from exporter.config.credentials import Credentials
from exporter.config.document import as_list, as_mapping
from exporter.config.durations import parse_duration
from exporter.config.endpoint_checks import find_endpoint_faults, find_plain_token_fault
from exporter.config.key_definition import list_keys
from exporter.config.settings import ScanSettings, StoreKind, TargetSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.document import Values
    from exporter.config.problems import Fault, KeyPath

_MAX_PAGE_SIZES = {StoreKind.GLACIER: 50, StoreKind.AZURE: 5000}
_MAX_PAGE_SIZE = 1000
"""Of the other stores."""
_NAME_LISTS = {
    name: key.stores for filled, name, key in list_keys(TargetSettings) if filled.name == "buckets"
}
"""Each key that lists what to watch, with the kinds of store that take it."""
_STORES = frozenset(StoreKind)


def find_faults(data: object) -> Iterator[Fault]:
    """Yield the path and text of everything that does not fit together."""
    top = as_mapping(data)
    scan = as_mapping(top.get("scan"))
    yield from _check_timeouts(("scan",), scan, {})
    yield from _check_ages(as_list(top.get("ages")))
    yield from _check_unique(("targets",), as_list(top.get("targets")), "each target needs a name of its own")
    for position, item in enumerate(as_list(top.get("targets"))):
        if isinstance(item, dict):
            yield from _check_target(("targets", position), item, scan)


def _check_target(where: KeyPath, target: Values, scan: Values) -> Iterator[Fault]:
    own_scan = as_mapping(target.get("scan"))
    if own_scan.keys() & {"timeout", "request_timeout"}:
        yield from _check_timeouts((*where, "scan"), own_scan, scan)
    yield from _check_buckets(where, target)
    yield from _check_endpoints(where, target)
    yield from _check_tags((*where, "tags"), as_list(target.get("tags")))
    yield from find_credential_faults((*where, "credentials"), as_mapping(target.get("credentials")))
    yield from _check_tls((*where, "tls"), as_mapping(target.get("tls")))
    if (store := target.get("store")) in _STORES:
        credentials = as_mapping(target.get("credentials"))
        yield from _check_store_keys(where, target, TargetSettings, store)
        yield from _check_store_keys((*where, "credentials"), credentials, Credentials, store)
        yield from _check_page_size((*where, "scan", "page_size"), StoreKind(str(store)), own_scan, scan)
    if target.get("store") == "obs":
        yield from _check_obs(where, target)
    if target.get("store") == "glacier":
        yield from _check_glacier(where, target)
    if target.get("store") == "gcs":
        yield from find_plain_token_fault(where, target)
    if target.get("store") == "azure":
        yield from find_azure_faults(where, target)


def _check_timeouts(where: KeyPath, own: Values, base: Values) -> Iterator[Fault]:
    request, scan = (_read_seconds(key, own, base) for key in ("request_timeout", "timeout"))
    if request and scan and request > scan:
        key = "request_timeout" if "request_timeout" in own else "timeout"
        yield (*where, key), "request_timeout is longer than timeout: one call must fit into its scan"


def _read_seconds(key: str, own: Values, base: Values) -> float | None:
    """Return the seconds that hold for a scan, None where they are faulty."""
    value = own.get(key, base.get(key, getattr(ScanSettings(), key)))
    if isinstance(value, str):
        return parse_duration(value)
    return value if isinstance(value, float) else None


def _check_ages(ages: list[object]) -> Iterator[Fault]:
    seconds = [parse_duration(age) if isinstance(age, str) else None for age in ages]
    for position, (shorter, longer) in enumerate(pairwise(seconds)):
        if shorter and longer and shorter >= longer:
            yield (
                ("ages", position + 1),
                "must be longer than the age before it: sort the list, each age once",
            )


def _check_unique(where: KeyPath, items: list[object], advice: str) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for position, item in enumerate(items):
        name = as_mapping(item).get("name", item)
        if isinstance(name, str) and first.setdefault(name, position) != position:
            path = (*where, position, "name") if isinstance(item, dict) else (*where, position)
            shown = name.partition("?")[0]  # what follows in a pasted URL may be a secret
            yield path, f"the name {shown} is taken by {where[-1]}[{first[name]}]: {advice}"


def _check_buckets(where: KeyPath, target: Values) -> Iterator[Fault]:
    store = target.get("store")
    right = next((name for name, stores in _NAME_LISTS.items() if store in stores), "buckets")
    wrong = [name for name in _NAME_LISTS if name != right and _is_given(target, name)]
    if wrong and store in _STORES:
        yield (*where, wrong[0]), f"store {store} has {right}, not {wrong[0]}: rename the key"
    elif _is_given(target, right) and _is_given(target, "discover"):
        yield (*where, "discover"), f"is for targets without {right}: remove one of them"
    elif not any(_is_given(target, key) for key in (*_NAME_LISTS, "discover")):
        yield (*where, right), f"is required: list the {right} to watch, or set discover"
    for name in _NAME_LISTS:
        advice = "list it once; to watch more of its prefixes, use another target"
        yield from _check_unique((*where, name), as_list(target.get(name)), advice)
    if store in _STORES and store != "s3":
        yield from _check_no_arns((*where, right), as_list(target.get(right)), store)


def _check_no_arns(where: KeyPath, items: list[object], store: object) -> Iterator[Fault]:
    for position, item in enumerate(items):
        if str(as_mapping(item).get("name", item)).startswith("arn:"):
            yield (*where, position), f"is an ARN, which store {store} does not know: write the name"


def _check_endpoints(where: KeyPath, target: Values) -> Iterator[Fault]:
    urls = as_list(target.get("endpoint_urls"))
    if urls and _is_given(target, "endpoint_url"):
        yield (*where, "endpoint_urls"), "stands beside endpoint_url: remove one of them"
    yield from _check_unique((*where, "endpoint_urls"), urls, "list each node once")
    yield from find_endpoint_faults(where, target)
    asks_ceph = target.get("ceph_admin") is True and target.get("store") == "s3"
    if asks_ceph and not _is_given(target, "endpoint_url"):
        yield (*where, "ceph_admin"), "asks the gateway at endpoint_url: set that, or remove ceph_admin"
    plain = [url for url in (target.get("endpoint_url"), *urls) if str(url).startswith("http://")]
    if _is_given(target, "sse_customer_key_file") and plain:
        yield (*where, "sse_customer_key_file"), "goes over https only: the key is sent with each request"


def _check_tags(where: KeyPath, keys: list[object]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for position, key in enumerate(keys):
        label = tag_label(key) if isinstance(key, str) else ""
        if label and first.setdefault(label, position) != position:
            text = f"would be the label {label}, as tags[{first[label]}] is already: keep one of them"
            yield (*where, position), text


def _is_given(values: Values, key: str) -> bool:
    """Tell whether a key has a value, a faulty one included."""
    return values.get(key) is not None


def _check_store_keys(where: KeyPath, given: Values, section: type, store: object) -> Iterator[Fault]:
    """Yield the keys of a section that are not for the target's kind of store."""
    for _, name, key in list_keys(section):
        is_given = _is_given(given, name) and given[name] is not False
        if not is_given or not key.stores or store in key.stores or name in _NAME_LISTS:
            continue
        if key.instead:
            yield (*where, name), f"is not for store {store}: {key.instead}"
        else:
            yield (
                (*where, name),
                f"is for store {key.store_names} only, and this target's is {store}: remove it",
            )


def _check_tls(where: KeyPath, tls: Values) -> Iterator[Fault]:
    for key, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
        if _is_given(tls, key) and not _is_given(tls, other):
            yield (*where, other), f"is required beside {key}: add it, or remove {key}"


def _check_obs(where: KeyPath, target: Values) -> Iterator[Fault]:
    endpoint = target.get("endpoint_url")
    if endpoint is None:
        yield (*where, "endpoint_url"), "is required for store obs: https://obs.REGION.myhuaweicloud.com"
    elif isinstance(endpoint, str) and "/" in endpoint.partition("://")[2].rstrip("/"):
        yield (*where, "endpoint_url"), "must end after host and port: the OBS SDK ignores a path"
    if target.get("signature") in {"v2", "v4"} and target.get("addressing_style") == "virtual":
        text = "signatures v2 and v4 go with path style: use auto or path, or signature obs"
        yield (*where, "addressing_style"), text


def _check_glacier(where: KeyPath, target: Values) -> Iterator[Fault]:
    for position, vault in enumerate(as_list(target.get("vaults"))):
        if _is_given(as_mapping(vault), "prefix"):
            yield (
                (*where, "vaults", position, "prefix"),
                "is not for vaults: their uploads have no keys; remove it",
            )


def _check_page_size(where: KeyPath, store: StoreKind, own: Values, base: Values) -> Iterator[Fault]:
    size, most = own.get("page_size", base.get("page_size")), _MAX_PAGE_SIZES.get(store, _MAX_PAGE_SIZE)
    if isinstance(size, int) and size > most:
        advice = "" if "page_size" in own else ": set it under this target's own scan"
        yield where, f"must be at most {most} for store {store}{advice}"

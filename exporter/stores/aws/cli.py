"""Commands of the AWS CLI with a target's endpoint, region, profile, proxy and TLS, and without secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.config.settings import TargetSettings
    from exporter.model.abort import Words

_READ_FROM_ELSEWHERE = ("file://", "fileb://", "http://", "https://")
"""The AWS CLI puts a file's or a page's content in the place of a value that begins with one of these."""
_CLIENT_CERTIFICATE = (
    "the AWS CLI sends no client certificate: have a proxy on this machine send it, "
    "and name that proxy as endpoint_url of a target"
)
_SOCKS = (
    "the AWS CLI takes no SOCKS proxy: reach the server directly or by an HTTP proxy, with a target for it"
)
_RAW_BYTES = "the AWS CLI takes no key with bytes that are not UTF-8: an abort rule of the bucket removes it"


class Parameter(NamedTuple):
    """One parameter of a call: the name of its flag, its name in JSON, and its value."""

    flag: str
    member: str
    value: str


def aws_command(
    target: TargetSettings, call: str, parameters: Sequence[Parameter], *flags: str, region: str
) -> Words:
    """Return the words of a call such as `s3api list-parts`; `flags` stand last.

    `region` is that of the target's requests, '' where it is not known.
    """
    return (
        *_proxy(target),
        *("aws", *call.split()),
        *_input(parameters),
        *_where(target, region),
        *flags,
    )


def why_not(target: TargetSettings, *values: str) -> str:
    """Return why the AWS CLI cannot do it, with these values, and what to do instead; '' where it can."""
    if target.tls.cert_file:
        return _CLIENT_CERTIFICATE
    if (target.proxy_url or "").startswith("socks"):
        return _SOCKS
    return "" if all(map(_is_utf8, values)) else _RAW_BYTES


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _input(parameters: Sequence[Parameter]) -> Iterator[str]:
    """Yield the input as flags; as JSON where a value is not printable or the CLI would read it elsewhere."""
    if any(
        each.value.startswith(_READ_FROM_ELSEWHERE) or not each.value.isprintable() for each in parameters
    ):
        members = {each.member: each.value for each in parameters}
        yield from ("--cli-input-json", json.dumps(members))  # as two words: the CLI looks for the first
    else:
        yield from (f"--{each.flag}={each.value}" for each in parameters)


def _proxy(target: TargetSettings) -> Iterator[str]:
    """Yield what sets the proxy; one with a password is left to the environment of whoever runs it."""
    if target.proxy_url and "@" not in urlsplit(target.proxy_url).netloc:
        url = target.proxy_url
        yield from ("env", f"http_proxy={url}", f"https_proxy={url}", "no_proxy=")


def _where(target: TargetSettings, region: str) -> Iterator[str]:
    if target.endpoint_url:
        yield f"--endpoint-url={target.endpoint_url}"
    if region:
        yield f"--region={region}"
    if target.credentials.profile:
        yield f"--profile={target.credentials.profile}"
    if target.tls.insecure_skip_verify:
        yield "--no-verify-ssl"
    elif target.tls.ca_file:
        yield f"--ca-bundle={target.tls.ca_file}"

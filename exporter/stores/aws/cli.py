"""Commands of the AWS CLI with a target's endpoint, region, profile and TLS settings, and without secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.config.settings import TargetSettings

_READ_FROM_ELSEWHERE = ("file://", "fileb://", "http://", "https://")
"""The AWS CLI puts a file's or a page's content in the place of a value that begins with one of these."""


class Parameter(NamedTuple):
    """One parameter of a call: the name of its flag, its name in JSON, and its value."""

    flag: str
    member: str
    value: str


def aws_command(
    target: TargetSettings, service: str, parameters: Sequence[Parameter], *flags: str
) -> tuple[str, ...]:
    """Return the words that abort an upload; `flags` stand last."""
    return ("aws", service, "abort-multipart-upload", *_input(parameters), *_where(target), *flags)


def _input(parameters: Sequence[Parameter]) -> Iterator[str]:
    """Yield the input as flags; as JSON where a value would be taken for something else, or has a NUL."""
    if any(each.value.startswith(_READ_FROM_ELSEWHERE) or "\0" in each.value for each in parameters):
        members = {each.member: each.value for each in parameters}
        yield from ("--cli-input-json", json.dumps(members))  # as two words: the CLI looks for the first
    else:
        yield from (f"--{each.flag}={each.value}" for each in parameters)


def _where(target: TargetSettings) -> Iterator[str]:
    endpoint = target.endpoint_url or next(iter(target.endpoint_urls), None)
    if endpoint:
        yield f"--endpoint-url={endpoint}"
    if target.region:
        yield f"--region={target.region}"
    if target.credentials.profile:
        yield f"--profile={target.credentials.profile}"
    if target.tls.insecure_skip_verify:
        yield "--no-verify-ssl"
    elif target.tls.ca_file:
        yield f"--ca-bundle={target.tls.ca_file}"

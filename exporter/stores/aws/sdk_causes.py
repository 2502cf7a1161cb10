"""What the SDK fails on in a config or an environment, told by the errors of Python that it lets through.

Their texts may hold the value that is at fault, which may be a secret: only these sentences are shown.
"""

from __future__ import annotations

import re

_TIME = "write it like 2030-01-31T00:00:00Z"
_NO_TIME = "Parser must be a string|Unknown string format|String does not contain a date"
_CAUSES = tuple(
    (re.compile(texts), cause)
    for texts, cause in (
        (
            "Credentials were refreshed, but the refreshed credentials are still expired",
            "the keys have expired: get new ones, or check the clock",
        ),
        (
            "can't (?:compare|subtract) offset-naive",
            f"the time at which the keys expire has no time zone: {_TIME}",
        ),
        (
            f"{_NO_TIME}|Python int too large|year .* is out of range|day is out of range",
            f"the time at which the keys expire is no time: {_TIME}",
        ),
        (
            "maximum recursion depth exceeded",
            "profiles that name each other as their source_profile, or JSON, are nested too deeply",
        ),
        (
            r"'\w+' object (?:has no attribute|does not support item assignment)",
            "in the SDK's config file a value stands where indented settings are expected (s3, for one)",
        ),
        (
            "invalid literal for int|could not convert string to float",
            "a setting of the SDK that has to be a number is none (metadata_service_timeout, for one)",
        ),
        (
            "Invalid IPv6 URL|Port out of range|Port could not be cast|netloc ",
            "the address of a service is no URL (AWS_CONTAINER_CREDENTIALS_FULL_URI, for one)",
        ),
        (
            r"list indices must be|string indices must be|argument of type|'\w+' object is not",
            "the answer is not the JSON object that holds keys",
        ),
        ("'(?:AccessKeyId|SecretAccessKey|Token|Expiration)'$", "the answer lacks one of the fields of keys"),
    )
)


def known_cause(error: Exception) -> str:
    """Return what an error of Python comes of, '' where its text is not known."""
    text = str(error)
    return next((cause for pattern, cause in _CAUSES if pattern.match(text)), "")

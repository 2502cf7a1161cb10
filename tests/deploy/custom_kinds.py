"""Objects that the chart writes for APIs that are not Kubernetes' own, each with what its API takes.

As in operator_kinds.py, a key that the API does not know is a fault here, while a cluster drops it silently.
"""

from __future__ import annotations

from typing import Any

from operator_kinds import SPECS, TEXT, Schema, closed, is_operators, judge, many
from operator_kinds import find_faults as find_operator_faults

PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
HOST: Schema = {
    "type": "string",
    "pattern": r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
}
GATEWAY_DURATION: Schema = {"type": "string", "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"}
PATH = closed(
    type={"enum": ["Exact", "PathPrefix", "RegularExpression"]}, value={"type": "string", "pattern": "^/"}
)
HEADERS = many(closed("name", "value", name=TEXT, value=TEXT))
HEADER_FILTER = closed(set=HEADERS, add=HEADERS, remove=many(TEXT))
ROUTE_RULE = closed(
    "backendRefs",
    name=TEXT,
    matches=many(closed(path=PATH, method=TEXT)),
    filters=many(
        closed(
            "type",
            type={"enum": ["RequestHeaderModifier", "ResponseHeaderModifier"]},
            requestHeaderModifier=HEADER_FILTER,
            responseHeaderModifier=HEADER_FILTER,
        )
    ),
    timeouts=closed(request=GATEWAY_DURATION, backendRequest=GATEWAY_DURATION),
    backendRefs=many(closed("name", "port", name=TEXT, port=PORT)),
)
HTTP_ROUTE = closed(
    "parentRefs",
    "rules",
    parentRefs=many(
        closed("name", group=TEXT, kind=TEXT, namespace=TEXT, name=TEXT, sectionName=TEXT, port=PORT)
    ),
    hostnames=many(HOST),
    rules=many(ROUTE_RULE),
)

KINDS: dict[str, tuple[str, Schema]] = {"HTTPRoute": ("gateway.networking.k8s.io/v1", HTTP_ROUTE)}
"""By kind: the API's version, and what it takes as `spec`."""
ALL_KINDS = {*SPECS, *KINDS}


def is_custom(document: dict[str, Any]) -> bool:
    """Tell whether an object is for an API that not every cluster has."""
    return is_operators(document) or document["kind"] in KINDS


def find_faults(document: dict[str, Any]) -> list[str]:
    """Return what is wrong with such an object, each with its place."""
    if is_operators(document):
        return find_operator_faults(document)
    return judge(document, *KINDS[document["kind"]])

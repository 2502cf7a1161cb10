"""Objects that the chart writes for APIs that are not Kubernetes' own, each with what its API takes.

As in operator_kinds.py, a key that the API does not know is a fault here, while a cluster drops it silently.
"""

from __future__ import annotations

from typing import Any

from operator_kinds import (
    COUNT,
    DURATION,
    FLAG,
    LABEL,
    RELABELING,
    TEXT,
    TEXTS,
    Schema,
    closed,
    is_operators,
    judge,
    many,
)
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
REDIRECT = closed(
    scheme={"enum": ["http", "https"]},
    hostname=HOST,
    path=closed(
        "type",
        type={"enum": ["ReplaceFullPath", "ReplacePrefixMatch"]},
        replaceFullPath=TEXT,
        replacePrefixMatch=TEXT,
    ),
    port=PORT,
    statusCode={"enum": [301, 302, 303, 307, 308]},
)
REDIRECTS = {
    "required": ["filters"],
    "properties": {"filters": {"contains": {"properties": {"type": {"const": "RequestRedirect"}}}}},
}
ROUTE_RULE = closed(
    name=TEXT,
    matches=many(closed(path=PATH, method=TEXT)),
    filters=many(
        closed(
            "type",
            type={"enum": ["RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect"]},
            requestHeaderModifier=HEADER_FILTER,
            responseHeaderModifier=HEADER_FILTER,
            requestRedirect=REDIRECT,
        )
    ),
    timeouts=closed(request=GATEWAY_DURATION, backendRequest=GATEWAY_DURATION),
    backendRefs=many(closed("name", "port", name=TEXT, port=PORT)),
) | {
    "if": REDIRECTS,
    "then": {"properties": {"backendRefs": False}},
    "else": {"required": ["backendRefs"]},
}
HTTP_ROUTE = closed(
    "parentRefs",
    "rules",
    parentRefs=many(
        closed("name", group=TEXT, kind=TEXT, namespace=TEXT, name=TEXT, sectionName=TEXT, port=PORT)
    ),
    hostnames=many(HOST),
    rules=many(ROUTE_RULE),
)

MANAGED_SECRET = closed("secret", secret=closed("name", "key", name=TEXT, key=TEXT))
TLS_VERSION = {"enum": ["TLS10", "TLS11", "TLS12", "TLS13"]}
POD_MONITORING = closed(
    "selector",
    "endpoints",
    selector=closed("matchLabels", matchLabels=TEXTS),
    endpoints=many(
        closed(
            "port",
            port=TEXT,
            path={"type": "string", "pattern": "^/"},
            scheme={"enum": ["http", "https"]},
            interval=DURATION,
            timeout=DURATION,
            tls=closed(
                ca=MANAGED_SECRET,
                cert=MANAGED_SECRET,
                key=MANAGED_SECRET,
                insecureSkipVerify=FLAG,
                serverName=TEXT,
                minVersion=TLS_VERSION,
                maxVersion=TLS_VERSION,
            ),
            basicAuth=closed(username=TEXT, password=MANAGED_SECRET),
            authorization=closed(type=TEXT, credentials=MANAGED_SECRET),
            metricRelabeling=many(RELABELING),
        )
    ),
    targetLabels=closed(
        metadata=many({"enum": ["pod", "container", "node"]}, 0),
        fromPod=many(closed("from", **{"from": TEXT, "to": LABEL})),
    ),
    limits=closed(samples=COUNT, labels=COUNT, labelNameLength=COUNT, labelValueLength=COUNT),
)
AMOUNT: Schema = {"anyOf": [{"type": "string", "pattern": "^[0-9.]+([KMGTPE]i?|[km])?$"}, {"type": "number"}]}
AMOUNTS = closed(cpu=AMOUNT, memory=AMOUNT)
AUTOSCALER = closed(
    "targetRef",
    targetRef=closed("apiVersion", "kind", "name", apiVersion=TEXT, kind=TEXT, name=TEXT),
    updatePolicy=closed(
        updateMode={"enum": ["Off", "Initial", "Recreate", "InPlaceOrRecreate", "Auto"]}, minReplicas=COUNT
    ),
    resourcePolicy=closed(
        containerPolicies=many(
            closed(
                "containerName",
                containerName=TEXT,
                controlledResources=many({"enum": ["cpu", "memory"]}),
                controlledValues={"enum": ["RequestsAndLimits", "RequestsOnly"]},
                minAllowed=AMOUNTS,
                maxAllowed=AMOUNTS,
            )
        )
    ),
    recommenders={**many(closed("name", name=TEXT)), "maxItems": 1},
)

KINDS: dict[str, tuple[str, Schema]] = {
    "HTTPRoute": ("gateway.networking.k8s.io/v1", HTTP_ROUTE),
    "PodMonitoring": ("monitoring.googleapis.com/v1", POD_MONITORING),
    "VerticalPodAutoscaler": ("autoscaling.k8s.io/v1", AUTOSCALER),
}
"""By kind: the API's version, and what it takes as `spec`."""


def is_custom(document: dict[str, Any]) -> bool:
    """Tell whether an object is for an API that not every cluster has."""
    return is_operators(document) or document["kind"] in KINDS


def find_faults(document: dict[str, Any]) -> list[str]:
    """Return what is wrong with such an object, each with its place."""
    if is_operators(document):
        return find_operator_faults(document)
    return judge(document, *KINDS[document["kind"]])

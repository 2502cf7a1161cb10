"""ServiceMonitor, PodMonitor and PrometheusRule, checked more strictly than by the operator itself.

A cluster drops a key that it does not know, silently; here that is a fault. Known is what the chart writes.
"""

from __future__ import annotations

from typing import Any

import jsonschema

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
DURATION: Schema = {
    "type": "string",
    "pattern": "^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$",
    "minLength": 1,
}
LABEL: Schema = {"type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
LABELS: Schema = {**TEXTS, "propertyNames": LABEL}


def closed(*required: str, **fields: Schema) -> Schema:
    """Return the schema of a map with these fields and no other."""
    return {"type": "object", "additionalProperties": False, "required": [*required], "properties": fields}


def many(item: Schema, at_least: int = 1) -> Schema:
    return {"type": "array", "items": item, "minItems": at_least}


SECRET_KEY = closed("name", "key", name=TEXT, key=TEXT, optional=FLAG)
SECRET_OR_MAP = {**closed(secret=SECRET_KEY, configMap=SECRET_KEY), "minProperties": 1, "maxProperties": 1}
SAFE_TLS = {
    "ca": SECRET_OR_MAP,
    "cert": SECRET_OR_MAP,
    "keySecret": SECRET_KEY,
    "insecureSkipVerify": FLAG,
    "serverName": TEXT,
    "minVersion": {"enum": ["TLS10", "TLS11", "TLS12", "TLS13"]},
    "maxVersion": {"enum": ["TLS10", "TLS11", "TLS12", "TLS13"]},
}
ACTIONS = [
    "replace",
    "keep",
    "drop",
    "hashmod",
    "labelmap",
    "labeldrop",
    "labelkeep",
    "lowercase",
    "uppercase",
    "keepequal",
    "dropequal",
]
RELABELING = closed(
    action={"enum": ACTIONS},
    modulus=COUNT,
    regex={"type": "string"},
    replacement={"type": "string"},
    separator={"type": "string"},
    sourceLabels=many(LABEL),
    targetLabel=TEXT,
)
PROXY_URL: Schema = {"type": "string", "pattern": "^(http|https|socks5)://.+$"}
OAUTH2 = closed(
    "clientId",
    "clientSecret",
    "tokenUrl",
    clientId=SECRET_OR_MAP,
    clientSecret=SECRET_KEY,
    tokenUrl=TEXT,
    scopes=many(TEXT),
    endpointParams=TEXTS,
    tlsConfig=closed(**SAFE_TLS),
    proxyUrl=PROXY_URL,
    noProxy=TEXT,
    proxyFromEnvironment=FLAG,
)
PROTOCOLS = [
    "PrometheusProto",
    "OpenMetricsText0.0.1",
    "OpenMetricsText1.0.0",
    "PrometheusText0.0.4",
    "PrometheusText1.0.0",
]
ENDPOINT = {
    "port": TEXT,
    "path": {"type": "string", "pattern": "^/"},
    "scheme": {"enum": ["http", "https"]},
    "interval": DURATION,
    "scrapeTimeout": DURATION,
    "honorLabels": FLAG,
    "basicAuth": closed("username", "password", username=SECRET_KEY, password=SECRET_KEY),
    "authorization": closed("credentials", type=TEXT, credentials=SECRET_KEY),
    "oauth2": OAUTH2,
    "proxyUrl": PROXY_URL,
    "honorTimestamps": FLAG,
    "relabelings": many(RELABELING),
    "metricRelabelings": many(RELABELING),
}
MONITOR = {
    "selector": closed("matchLabels", matchLabels=TEXTS),
    "namespaceSelector": closed("matchNames", matchNames=many(TEXT)),
    "jobLabel": TEXT,
    "sampleLimit": COUNT,
    "labelLimit": COUNT,
    "labelNameLengthLimit": COUNT,
    "labelValueLengthLimit": COUNT,
    "podTargetLabels": many(TEXT),
    "scrapeClass": TEXT,
    "scrapeProtocols": many({"enum": PROTOCOLS}),
}
RULE = {
    **closed(
        "expr",
        alert=TEXT,
        record=TEXT,
        expr=TEXT,
        **{"for": DURATION, "keep_firing_for": DURATION, "labels": LABELS, "annotations": LABELS},
    ),
    "oneOf": [{"required": ["alert"]}, {"required": ["record"]}],
}
GROUP = closed(
    "name",
    "rules",
    name=TEXT,
    interval=DURATION,
    limit=COUNT,
    labels=LABELS,
    query_offset=DURATION,
    rules=many(RULE),
)

SPECS: dict[str, Schema] = {
    "ServiceMonitor": closed(
        "selector",
        "endpoints",
        **MONITOR,
        targetLabels=many(TEXT),
        endpoints=many(
            closed(
                "port",
                **ENDPOINT,
                tlsConfig=closed(**SAFE_TLS, caFile=TEXT, certFile=TEXT, keyFile=TEXT),
            )
        ),
    ),
    "PodMonitor": closed(
        "selector",
        "podMetricsEndpoints",
        **MONITOR,
        podMetricsEndpoints=many(closed("port", **ENDPOINT, tlsConfig=closed(**SAFE_TLS))),
    ),
    "PrometheusRule": closed("groups", groups=many(GROUP)),
}
"""What the operator knows, by kind."""


def is_operators(document: dict[str, Any]) -> bool:
    """Tell whether an object is for the Prometheus operator rather than for Kubernetes."""
    return str(document["apiVersion"]).startswith("monitoring.coreos.com/")


def find_faults(document: dict[str, Any]) -> list[str]:
    """Return what is wrong with an object for the operator, each with its place."""
    return judge(document, "monitoring.coreos.com/v1", SPECS[document["kind"]])


def judge(document: dict[str, Any], version: str, spec: Schema) -> list[str]:
    """Return what is wrong with an object of some API, each with its place."""
    metadata = closed("name", "namespace", name=TEXT, namespace=TEXT, labels=TEXTS, annotations=TEXTS)
    schema = closed("spec", apiVersion={"const": version}, kind=TEXT, metadata=metadata, spec=spec)
    faults = jsonschema.Draft7Validator(schema).iter_errors(document)
    return sorted(f"{'.'.join(map(str, fault.absolute_path))}: {fault.message}" for fault in faults)

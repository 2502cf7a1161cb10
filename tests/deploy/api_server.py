"""As much of an API server as Helm's `lookup` asks for: which kinds there are, and some objects of them."""

from __future__ import annotations

import json
from typing import Any

from servers.standin import Reply, Request, StandIn

KINDS = {
    "v1": {"Service": "services"},
    "apps/v1": {"Deployment": "deployments", "StatefulSet": "statefulsets"},
}
APPS = {"groupVersion": "apps/v1", "version": "v1"}
MISSING = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}


def api_server(objects: list[dict[str, Any]]) -> StandIn:
    """Return a server that has these objects, and takes no others."""
    answers = {
        "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {
            "kind": "APIGroupList",
            "groups": [{"name": "apps", "versions": [APPS], "preferredVersion": APPS}],
        },
        "/api/v1": _describe("v1"),
        "/apis/apps/v1": _describe("apps/v1"),
    } | {_path(each): each for each in objects}

    def answer(request: Request) -> Reply:
        found = answers.get(request.path)
        headers = {"Content-Type": "application/json"}
        return Reply(200 if found else 404, headers, json.dumps(found or MISSING).encode())

    return StandIn(answer)


def _describe(version: str) -> dict[str, Any]:
    found = [
        {"kind": kind, "name": name, "singularName": "", "namespaced": True, "verbs": ["get"]}
        for kind, name in KINDS[version].items()
    ]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": found}


def _path(document: dict[str, Any]) -> str:
    version, metadata = document["apiVersion"], document["metadata"]
    root = "api" if version == "v1" else "apis"
    kind = KINDS[version][document["kind"]]
    return f"/{root}/{version}/namespaces/{metadata['namespace']}/{kind}/{metadata['name']}"

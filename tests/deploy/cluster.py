"""As much of an API server as upgrades need: what Helm owns, and what Kubernetes fills in, keeps and refuses.

`tests/deploy/upgrades.sh` holds this against a real one.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Tree = dict[str, Any]

KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("port", "containerPort", "protocol"),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
"""Lists whose entries Kubernetes merges one by one, and what tells these apart. Others it replaces whole."""

FIXED = {
    "Deployment": {"selector"},
    "Service": {"clusterIP"},
    "StatefulSet": {"selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"},
}
"""What never changes in a spec."""

ONE_OF = {
    "volumes": {"configMap", "secret", "projected", "emptyDir", "persistentVolumeClaim"},
    "env": {"value", "valueFrom"},
    "livenessProbe": {"httpGet", "tcpSocket", "exec", "grpc"},
    "readinessProbe": {"httpGet", "tcpSocket", "exec", "grpc"},
    "startupProbe": {"httpGet", "tcpSocket", "exec", "grpc"},
}


class RefusedError(Exception):
    """An API server would not take this object; the text says why."""


class Cluster:
    """The objects that are there, with what Helm last applied of each."""

    def __init__(self, *, server_side: bool) -> None:
        """Apply by the server, as Helm 4 does, or by a three-way merge, as Helm 3."""
        self._server_side = server_side
        self.objects: dict[tuple[str, str, str], Tree] = {}
        self._applied: dict[tuple[str, str, str], Tree] = {}

    def upgrade(self, documents: list[Tree]) -> list[str]:
        """Bring in a release's objects, take away those that it has no more; return what was refused."""
        wanted = {identity(d): d for d in documents if not is_hook(d)}
        refusals = []
        for key, document in wanted.items():
            try:
                self._bring(key, keyed(document))
            except RefusedError as refused:
                refusals.append(f"{key[0]}: {refused}")
        for key in set(self.objects) - set(wanted):
            del self.objects[key], self._applied[key]
        return refusals

    def _bring(self, key: tuple[str, str, str], new: Tree) -> None:
        live, last = self.objects.get(key), self._applied.get(key, {})
        result = remove(merge(deepcopy(live or {}), new), last, new)
        if not self._server_side:
            retain_keys(result, new)
        fill_in(result, live)
        for fault in [*faults(result), *changes(live, result)]:
            raise RefusedError(fault)
        self.objects[key], self._applied[key] = result, new


def identity(document: Tree) -> tuple[str, str, str]:
    metadata = document["metadata"]
    return document["kind"], metadata.get("namespace", ""), metadata["name"]


def is_hook(document: Tree) -> bool:
    return "helm.sh/hook" in document["metadata"].get("annotations", {})


def keyed(value: Any, name: str = "") -> Any:
    """Return a manifest whose lists of named things are maps, as Kubernetes sees them."""
    if isinstance(value, dict):
        return {key: keyed(each, key) for key, each in value.items()}
    if not isinstance(value, list) or name not in KEYS:
        return value
    found = {}
    for entry in value:
        key = ", ".join(str(entry[field]) for field in KEYS[name] if field in entry)
        if key in found:
            raise RefusedError(f"{name} has {key} twice")
        found[key] = keyed(entry)
    return found


def merge(live: Any, new: Any) -> Any:
    """Return what is there with what is applied laid over it."""
    if not isinstance(live, dict) or not isinstance(new, dict):
        return deepcopy(new)
    return live | {key: merge(live.get(key), value) for key, value in new.items()}


def remove(result: Tree, last: Tree, new: Tree) -> Tree:
    """Take out what was applied last and is not now, with all that is below it, whoever filled that in."""
    for key, value in last.items():
        if key not in new:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(new[key], dict) and isinstance(result.get(key), dict):
            remove(result[key], value, new[key])
    return result


def retain_keys(result: Tree, new: Tree) -> None:
    """A strategy and a volume have no key but those applied (patch strategy `retainKeys`)."""
    for name, value in new.items():
        if name == "strategy":
            result[name] = {key: each for key, each in result[name].items() if key in value}
        elif name == "volumes":
            for volume, source in value.items():
                result[name][volume] = {k: v for k, v in result[name][volume].items() if k in source}
        elif isinstance(value, dict):
            retain_keys(result[name], value)


def fill_in(result: Tree, live: Tree | None) -> None:
    """Set the defaults that another value may not stand beside, and what a Service is given and keeps."""
    kind, spec = result["kind"], result.get("spec", {})
    if kind == "Deployment" and spec["strategy"]["type"] == "RollingUpdate":
        limits = {"maxSurge": "25%", "maxUnavailable": "25%"}
        spec["strategy"]["rollingUpdate"] = limits | spec["strategy"].get("rollingUpdate", {})
    if kind == "StatefulSet" and spec["updateStrategy"]["type"] == "RollingUpdate":
        limits = {"partition": 0}
        spec["updateStrategy"]["rollingUpdate"] = limits | spec["updateStrategy"].get("rollingUpdate", {})
    if kind == "Service":
        give(spec, (live or {"spec": {}})["spec"])
    for name, node in walk(result):
        if name == "httpGet":
            node.setdefault("scheme", "HTTP")
        for container in node["containers"].values() if node.get("hostNetwork") else ():
            for port in container.get("ports", {}).values():
                port.setdefault("hostPort", port["containerPort"])


def give(spec: Tree, before: Tree) -> None:
    """Give a Service its address and families of addresses; it keeps those that it had and is not told."""
    spec.setdefault("clusterIP", before.get("clusterIP", "given by the cluster"))
    spec.setdefault("ipFamilyPolicy", before.get("ipFamilyPolicy", "SingleStack"))
    families = spec.get("ipFamilies") or before.get("ipFamilies") or ["IPv4"]
    both = [*families, *({"IPv4", "IPv6"} - set(families))]
    spec["ipFamilies"] = both[:1] if spec["ipFamilyPolicy"] == "SingleStack" else both


def faults(result: Tree) -> Iterator[str]:
    """Yield what cannot stand together in one object."""
    for name in ("strategy", "updateStrategy"):
        strategy = result.get("spec", {}).get(name, {})
        if "rollingUpdate" in strategy and strategy["type"] != "RollingUpdate":
            yield f"{name} has a rollingUpdate beside {strategy['type']}"
    for name, node in walk(result):
        for each in node.values() if name in KEYS else [node]:
            if len(found := ONE_OF.get(name, set()) & set(each)) > 1:
                yield f"{name} has {' and '.join(sorted(found))}"


def changes(live: Tree | None, result: Tree) -> Iterator[str]:
    """Yield what is not the same as before and never changes."""
    before, after = (live or result).get("spec", {}), result.get("spec", {})
    for field in sorted(FIXED.get(result["kind"], set())):
        if before.get(field) != after.get(field):
            yield f"{field} never changes"
    if before.get("ipFamilies", [])[:1] != after.get("ipFamilies", [])[:1]:
        yield "the first of ipFamilies never changes"


def walk(tree: Tree, name: str = "") -> Iterator[tuple[str, Tree]]:
    """Yield every map with the name that it has in the one above."""
    yield name, tree
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from walk(value, key)

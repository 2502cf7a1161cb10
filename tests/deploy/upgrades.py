"""Every upgrade between two sets of values on a real API server: see upgrades.sh."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import TYPE_CHECKING, Any

import helm_python as helm
from charts import CHART, VALUE_SETS, render
from cluster import Cluster, is_hook
from servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "mpu-tests"
BUILT_IN = {"v1", "apps/v1", "policy/v1", "networking.k8s.io/v1"}
NAMES = {"nameOverride", "fullnameOverride", "namespaceOverride"}
GIVEN = ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "annotations"]

Object = dict[str, Any]


class Api:
    """The API server, by plain HTTP."""

    def __init__(self, port: int) -> None:
        """Talk to the one on this port of loopback."""
        self.url = f"https://127.0.0.1:{port}"
        self._tls = ssl.create_default_context()
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE

    def ask(self, method: str, path: str, body: Object | None = None) -> Object:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, context=self._tls, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text[:1] == b"{" else {}

    def wait(self, path: str) -> None:
        for _ in range(240):
            try:
                self.ask("GET", path)
            except OSError:
                time.sleep(0.5)
            else:
                return
        raise TimeoutError(path)

    @property
    def kubeconfig(self) -> str:
        cluster = {"server": self.url, "insecure-skip-tls-verify": True}
        named = {"clusters": "cluster", "users": "user", "contexts": "context"}
        values: Object = {
            "cluster": cluster,
            "user": {"token": TOKEN},
            "context": {"cluster": "a", "user": "a"},
        }
        lists = {plural: [{"name": "a", one: values[one]}] for plural, one in named.items()}
        return json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "a", **lists})


@contextmanager
def serving(recipe: str, folder: Path) -> Iterator[Api]:
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([recipe, "run", str(folder), str(port)], stdout=log, stderr=log)
    try:
        api = Api(port)
        api.wait("/readyz")
        yield api
    finally:
        process.terminate()
        process.wait(60)


def path_of(document: Object) -> str:
    """Return where the API has an object."""
    version, metadata = document["apiVersion"], document["metadata"]
    root = "/api/v1" if version == "v1" else f"/apis/{version}"
    return f"{root}/namespaces/{metadata['namespace']}/{plural(document['kind'])}/{metadata['name']}"


def plural(kind: str) -> str:
    """Return a kind's name in paths, which is plain English for all that a chart of ours has."""
    name = kind.lower()
    return f"{name[:-1]}ies" if name[-1] == "y" else f"{name}es" if name[-1] == "s" else f"{name}s"


def prepare(api: Api, documents: list[Object]) -> None:
    """Make the namespaces and, for kinds that are not Kubernetes' own, definitions that take anything."""
    for name in {d["metadata"]["namespace"] for d in documents}:
        api.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    for version, kind in {(d["apiVersion"], d["kind"]) for d in documents if d["apiVersion"] not in BUILT_IN}:
        group, name = version.split("/")
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        served = {"name": name, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        names = {"kind": kind, "plural": plural(kind), "singular": kind.lower()}
        spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [served]}
        approved = {"api-approved.kubernetes.io": "unapproved, for tests"}
        metadata = {"name": f"{plural(kind)}.{group}", "annotations": approved}
        api.ask(
            "POST",
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
            | {"metadata": metadata, "spec": spec},
        )
        api.wait(f"/apis/{version}/namespaces/mon/{plural(kind)}")


class Helm4:
    """The tests' engine: it applies on the server's side."""

    def __init__(self, api: Api, _: Path) -> None:
        """Keep releases in memory."""
        self._config = helm.Config(
            kubeconfig_content=api.kubeconfig, namespace="mon", storage_driver="memory"
        )

    def install(self, chart: Path, values: Object) -> None:
        self._config.install(str(chart), "demo", values)

    def upgrade(self, chart: Path, values: Object) -> str:
        """Return what was refused, or nothing."""
        try:
            self._config.upgrade(str(chart), "demo", values, reset_values=True)
        except helm.HelmError as error:
            return str(error)
        return ""

    def uninstall(self) -> None:
        self._config.uninstall("demo")


class Helm3:
    """Helm 3.6, which merges what it had applied, what it applies and what is there."""

    def __init__(self, api: Api, folder: Path) -> None:
        """Run it by its command line."""
        self._folder = folder
        (folder / "kubeconfig").write_text(api.kubeconfig)
        (folder / "kubeconfig").chmod(0o600)

    def install(self, chart: Path, values: Object) -> None:
        if said := self._run("install", "demo", str(chart), values=values):
            raise RuntimeError(said)

    def upgrade(self, chart: Path, values: Object) -> str:
        """Return what was refused, or nothing."""
        return self._run("upgrade", "demo", str(chart), "--reset-values", values=values)

    def uninstall(self) -> None:
        self._run("uninstall", "demo")

    def _run(self, *arguments: str, values: Object | None = None) -> str:
        given = []
        if values is not None:
            (self._folder / "values.yaml").write_text(json.dumps(values))
            given = ["--values", str(self._folder / "values.yaml")]
        common = ["--namespace=mon", f"--kubeconfig={self._folder / 'kubeconfig'}"]
        run = subprocess.run(
            [os.environ["HELM"], *arguments, *given, *common], capture_output=True, text=True, check=False
        )
        return run.stderr.strip() if run.returncode else ""


def look(api: Api, documents: list[Object]) -> dict[str, Object]:
    """Return the objects as they are, without what differs from one creation to the next."""
    found = {}
    for document in documents:
        live = api.ask("GET", path_of(document))
        live["metadata"] = {key: value for key, value in live["metadata"].items() if key not in GIVEN}
        live.pop("status", None)
        if document["kind"] == "Service":
            forget_given(live["spec"], document["spec"])
        found[path_of(document)] = live
    return found


def forget_given(live: Object, wanted: Object) -> None:
    """Take out the address and the ports that the cluster chose: never below 10.0.1.0, of its range."""
    if "clusterIP" not in wanted and not live["clusterIP"].startswith(("None", "10.0.0.")):
        del live["clusterIP"], live["clusterIPs"]
    live.pop("healthCheckNodePort", None)
    for port, given in zip(live["ports"], wanted["ports"], strict=True):
        if "nodePort" not in given:
            port.pop("nodePort", None)


class Trial:
    """Upgrades of one release by one Helm, each judged by the API server and by the model."""

    def __init__(self, api: Api, engine: Helm3 | Helm4, charts: tuple[Path, Path]) -> None:
        """Take the chart, and the same without its look at the cluster."""
        self._api, self._engine, self._chart, self._unchecked = api, engine, *charts
        self._fresh: dict[str, dict[str, Object]] = {}
        self.count = self.refused = self.kept = 0
        self.faults: list[str] = []

    def __str__(self) -> str:
        """Return how it went, in numbers."""
        name = type(self._engine).__name__
        faults = len(self.faults)
        return f"{name}: {self.count} upgrades, {self.refused} refused, {self.kept} kept, {faults} faults"

    def objects(self, values: str) -> list[Object]:
        return [d for d in render(values) if not is_hook(d)]

    def fresh(self, values: str) -> dict[str, Object]:
        """Return what an installation makes."""
        if values not in self._fresh:
            self._engine.install(self._unchecked, helm.values_from_yaml(values))
            self._fresh[values] = look(self._api, self.objects(values))
            self._engine.uninstall()
        return self._fresh[values]

    def judge(self, title: str, before: str, after: str) -> None:
        """Upgrade without the chart's check, then with it, then as it says."""
        wanted = self.fresh(after)
        given = helm.values_from_yaml(after)
        self._engine.install(self._unchecked, helm.values_from_yaml(before))
        checked = self._engine.upgrade(self._chart, given) if any(self._model(before, after)) else ""
        said = self._engine.upgrade(self._unchecked, given)
        kept = (
            []
            if said
            else [p for p, live in look(self._api, self.objects(after)).items() if live != wanted[p]]
        )
        self._compare(title, (said, kept), checked, before, after)
        if checked:
            self._make_way(checked)
            if (again := self._engine.upgrade(self._chart, given)) or look(
                self._api, self.objects(after)
            ) != wanted:
                self._report(f"{title}: the way out is none: {again}")
        self._engine.uninstall()

    def _model(self, before: str, after: str) -> tuple[list[str], list[str]]:
        clusters = [Cluster(server_side=isinstance(self._engine, Helm4)) for _ in range(2)]
        clusters[0].upgrade(render(before))
        clusters[1].upgrade(render(after))
        refused = clusters[0].upgrade(render(after))
        return refused, [k[0] for k, v in clusters[1].objects.items() if clusters[0].objects.get(k) != v]

    def _compare(
        self, title: str, found: tuple[str, list[str]], checked: str, before: str, after: str
    ) -> None:
        said, kept = found
        refused, model_kept = self._model(before, after)
        self.count, self.refused, self.kept = (
            self.count + 1,
            self.refused + bool(said),
            self.kept + bool(kept),
        )
        if said or kept:
            print(f"{title}: {said.splitlines()[-1][-300:] if said else 'kept'} {kept}")
        if (bool(said), bool(kept)) != (bool(refused), bool(model_kept) and not refused):
            self._report(f"{title}: {said or kept or 'accepted'}, and the model says {refused or model_kept}")
        if said and "Kubernetes never changes" not in checked:
            self._report(f"{title}: the chart lets it pass: {checked!r}")

    def _report(self, fault: str) -> None:
        print(f"FAULT: {fault}")
        self.faults.append(fault)

    def _make_way(self, checked: str) -> None:
        kind, name = checked.rpartition(" delete ")[2].partition("`")[0].split()
        version = {"service": "/api/v1", "deployment": "/apis/apps/v1", "statefulset": "/apis/apps/v1"}[kind]
        self._api.ask("DELETE", f"{version}/namespaces/mon/{kind}s/{name}")


def value_sets() -> dict[str, str]:
    """Return every set of ci/; the one that names its objects otherwise also under the usual names."""
    found = {file.stem.removesuffix("-values"): file.read_text() for file in VALUE_SETS}
    everything = helm.values_from_yaml(found["everything"])
    found["everything in place"] = json.dumps({k: v for k, v in everything.items() if k not in NAMES})
    found["on delete"] = "{shards: 3, updateStrategy: {type: OnDelete}}"
    found["on the node's network"] = "hostNetwork: true"
    found["rolling"] = "strategy: {type: RollingUpdate}"
    found["another name"] = "{nameOverride: other, fullnameOverride: demo-mpu-exporter}"
    found["persistent"] = "state: {persistence: {enabled: true}}"
    return found


def main(recipe: str) -> int:
    sets = value_sets()
    pairs = list(permutations(sets, 2))
    default = [pair for pair in pairs if "default" in pair]
    chosen_pairs = pairs if os.environ.get("EVERY") else default
    old = [pair for pair in default if not any("retentionPolicy" in sets[name] for name in pair)]
    plan: list[tuple[Callable[[Api, Path], Helm3 | Helm4], list[tuple[str, str]]]] = [
        (Helm3, old),  # the chart refuses the field under a Helm that does not know it
        (Helm4, chosen_pairs),
    ]
    faults = []
    with tempfile.TemporaryDirectory() as scratch:
        unchecked = Path(
            copytree(CHART, Path(scratch) / "chart", ignore=ignore_patterns("checks-cluster.yaml"))
        )
        folder = Path(scratch) / "server"
        folder.mkdir()
        with serving(recipe, folder) as api:
            prepare(api, [document for values in sets.values() for document in render(values)])
            for make, chosen in plan:
                trial = Trial(api, make(api, Path(scratch)), (CHART, unchecked))
                for before, after in chosen:
                    trial.judge(f"{before} -> {after}", sets[before], sets[after])
                print(trial)
                faults += trial.faults
    return min(len(faults), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

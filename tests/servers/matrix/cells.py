"""The tests of the matrix: a file of tests has a class of its own, `class TestX(Matrix): server = X`."""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from servers import wait_until
from servers.exporter import serving
from servers.matrix import exporter
from servers.matrix.buckets import PREFIXES, Buckets, fill, fill_many, fill_moving
from servers.matrix.churn import Churn
from servers.matrix.declaration import KEYS, Instance, Server
from servers.matrix.exporter import config, target
from servers.matrix.proxy import proxied
from servers.matrix.record import Record
from servers.matrix.running import next_scan
from servers.matrix.verdict import EXACT, Verdict, of_moving, of_sums, of_uploads

AT_REST = (*KEYS, "plain", "re-sent part", "empty")
SOME_PAGE_SIZES = (2, None)
MOVING_PAGE_SIZES = (1, 3, None)


@dataclass
class Rig:
    """A running server, what was made on it, and the folder of the exporter's files."""

    server: Server
    instance: Instance
    record: Record
    buckets: Buckets
    folder: Path

    def target(self, name: str, engine: str, buckets: Iterable[str], **settings: Any) -> dict[str, Any]:
        return target(self.server, name, self.instance.endpoint_url, engine, buckets, **settings)

    def settle(self, group: str, verdicts: list[Verdict]) -> None:
        """Compare the verdicts of a group with what the server's declaration says of it."""
        _write(self.server, verdicts)
        told = self.server.told.get(group)
        allowed = {EXACT} | ({told.by} if told else set())
        unexpected = [str(each) for each in verdicts if each.outcome not in allowed]
        assert unexpected == []
        if told:
            assert told.by in {each.outcome for each in verdicts}, f"{group} is exact: take it out of `told`"


@pytest.fixture(scope="class")
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Give the server of the class, filled."""
    server: Server = request.cls.server
    folder = tmp_path_factory.mktemp("matrix")
    (folder / "server").mkdir()
    with server.opened(folder / "server") as instance, closing(server.record(server, instance)) as record:
        wait_until(f"buckets on {server.name}", lambda: record.takes("matrix-first"))
        yield Rig(server, instance, record, fill(server, record), folder)


class Matrix:
    """One exporter, one server, all cells."""

    server: ClassVar[Server]

    def test_the_server_refuses_the_keys_that_its_declaration_names(self, rig: Rig):
        assert sorted(rig.server.refuses) == sorted(rig.buckets.refused)

    def test_sums_at_every_page_size(self, rig: Rig, subtests: pytest.Subtests):
        names = {rig.buckets.names[group]: group for group in AT_REST}
        sizes = {f"{engine}-{size}": size for engine in rig.server.engines for size in rig.server.page_sizes}
        targets = [
            rig.target(cell, cell.rpartition("-")[0], names, scan={"page_size": size})
            for cell, size in sizes.items()
        ]
        found = exporter.scan(rig.folder, config(targets))
        for bucket, group in names.items():
            alive = rig.record.of(bucket)
            judged = [cell for cell, size in sizes.items() if (group, size) not in rig.server.beyond]
            with subtests.test(group):
                rig.settle(
                    group,
                    [
                        Verdict(group, cell, *of_sums(found[cell, bucket], alive, rig.server))
                        for cell in judged
                    ],
                )

    def test_keys_ids_and_parts_of_each_upload(self, rig: Rig, subtests: pytest.Subtests):
        names = {rig.buckets.names[group]: group for group in AT_REST}
        cells = {
            f"{engine}-{size}": rig.target(f"{engine}-{size}", engine, names, scan={"page_size": size})
            for engine in rig.server.engines
            for size in SOME_PAGE_SIZES
        }
        found = exporter.uploads(rig.folder, config(cells.values()))
        for bucket, group in names.items():
            alive = rig.record.of(bucket)
            with subtests.test(group):
                outcomes = [
                    (each, of_uploads(found[each, bucket], alive, rig.buckets.keys)) for each in cells
                ]
                rig.settle(group, [Verdict(group, f"keys {each}", *outcome) for each, outcome in outcomes])

    def test_prefixes(self, rig: Rig):
        bucket = rig.buckets.names["prefix"]
        cells = [
            (engine, size, prefix)
            for engine in rig.server.engines
            for size in SOME_PAGE_SIZES
            for prefix in PREFIXES
        ]
        targets = [
            rig.target(f"{engine}-{size}-{prefix}", engine, [bucket], scan={"page_size": size}, prefix=prefix)
            for engine, size, prefix in cells
        ]
        found = exporter.scan(rig.folder, config(targets))
        verdicts = []
        for engine, size, prefix in cells:
            alive = [made for made in rig.record.of(bucket) if made.key.startswith(prefix)]
            said = found[f"{engine}-{size}-{prefix}", bucket]
            verdicts.append(Verdict("prefix", f"{engine} {size} {prefix}", *of_sums(said, alive, rig.server)))
        rig.settle("prefix", verdicts)

    def test_more_uploads_than_a_page_of_its_own(self, rig: Rig):
        if not rig.server.own_page:
            return  # it has no pages
        bucket = fill_many(rig.server, rig.record)
        targets = [
            rig.target(engine, engine, [bucket], scan={"parts": "never"}) for engine in rig.server.engines
        ]
        found = exporter.scan(rig.folder, config(targets))
        alive = rig.record.of(bucket)
        rig.settle(
            "many",
            [
                Verdict("many", engine, *of_sums(found[engine, bucket], alive, rig.server, with_parts=False))
                for engine in rig.server.engines
            ],
        )

    def test_uploads_that_end_and_begin_while_it_looks(self, rig: Rig):
        between = [
            ("pages", engine, size, fill_moving(rig.record))
            for engine in rig.server.engines[:2]
            for size in MOVING_PAGE_SIZES
        ]
        before_parts = [
            ("gaps", engine, size, fill_moving(rig.record))
            for engine in rig.server.engines[:2]
            for size in SOME_PAGE_SIZES
        ]
        cells = [*between, *before_parts]
        before = {each[-1]: rig.record.of(each[-1]) for each in cells}
        churn = Churn(rig.record, {each[-1] for each in between}, {each[-1] for each in before_parts})
        with proxied(rig.instance.endpoint_url, churn) as url:
            targets = [
                target(rig.server, f"{kind}-{engine}-{size}", url, engine, [bucket], scan={"page_size": size})
                for kind, engine, size, bucket in cells
            ]
            found = exporter.uploads(rig.folder, config(targets))
        assert churn.errors == []
        verdicts = []
        for kind, engine, size, bucket in cells:
            said = found[f"{kind}-{engine}-{size}", bucket]
            always = [made for made in before[bucket] if made.ending is None]
            ever = list(rig.record.all_of(bucket))
            assert len(always) < len(before[bucket]), f"nothing ended in {kind} {engine} {size}"
            verdicts.append(Verdict("churn", f"{kind} {engine} {size}", *of_moving(said, always, ever)))
        rig.settle("churn", verdicts)

    def test_a_restart_of_the_server_between_two_scans(self, rig: Rig):
        engines = rig.server.engines[:2]
        buckets = {fill_moving(rig.record): engine for engine in engines}
        targets = [rig.target(engine, engine, [bucket]) for bucket, engine in buckets.items()]
        settings = config(targets, state={"path": str(rig.folder / "state.db")})
        settings["scan"] |= {"interval": "1s"}
        verdicts = []

        def look(moment: str) -> None:
            for bucket, said in next_scan(running, buckets).items():
                alive = rig.record.of(bucket)
                verdicts.append(
                    Verdict("restart", f"{moment} {buckets[bucket]}", *of_sums(said, alive, rig.server))
                )

        with ExitStack() as stack:
            running = stack.enter_context(serving(rig.folder, settings))
            running.wait_tried(*buckets)
            look("before")
            rig.instance.restart()
            self._after_restart(rig, buckets)
            look("after")
            self._go_on(rig, buckets)
            look("later")
            look("later still")
        rig.settle("restart", verdicts)

    def _after_restart(self, rig: Rig, buckets: Iterable[str]) -> None:
        """Note what the server has lost, and wait until it takes requests again."""
        for bucket in buckets:
            if rig.server.after_restart != "keeps":
                rig.record.forget(bucket)
            wait_until(bucket, lambda name=bucket: rig.record.takes(name))

    def _go_on(self, rig: Rig, buckets: Iterable[str]) -> None:
        """Begin uploads, and end one that was there before where any is left."""
        for bucket in buckets:
            left = rig.record.of(bucket)
            rig.record.create_all(bucket, [("moving/04", {1: 300}), ("new", {1: 400, 2: 1})])
            if left:
                rig.record.abort(left[0])


def _write(server: Server, verdicts: Iterable[Verdict]) -> None:
    """Append the verdicts to the file that MATRIX_OUTPUT names, for people."""
    if path := os.environ.get("MATRIX_OUTPUT"):
        with Path(path).open("a") as file:
            file.writelines(f"{server.name:20} {each}\n" for each in verdicts)

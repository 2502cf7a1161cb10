"""One client that asks for page after page, on as many connections as it may have, beside others."""

import asyncio
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

from unit.example_app import ExampleApp
from unit.web_clients import connect, get, serving

from exporter.web.turns import Turns

MORE_THAN_THREADS = 40
"""More requests than asyncio has threads at most."""
PAGE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def stays() -> dict[str, Any]:
    """Receive from a client that sends no more."""
    await asyncio.get_running_loop().create_future()
    return {}


def test_scrapes_wait_for_no_page():
    asked, go_on = threading.Event(), threading.Event()

    def wait() -> list[Any]:
        asked.set()
        go_on.wait(20)
        return []

    with serving(replace(ExampleApp().app, targets=wait)) as web, ExitStack() as clients:
        clients.callback(go_on.set)
        for _ in range(MORE_THAN_THREADS):
            clients.enter_context(connect(web, source="127.0.0.2")).sendall(PAGE)
        assert asked.wait(5)
        assert get(web, "/metrics") == 200


class TestTurns:
    def test_a_client_s_requests_wait_for_one_another_and_others_in_turn(self):
        begun: list[str] = []

        async def work(name: str, go_on: asyncio.Event) -> str:
            begun.append(name)
            await go_on.wait()
            return name

        async def run() -> None:
            turns, go_on = Turns(2), {name: asyncio.Event() for name in ("a1", "a2", "a3", "b1", "c1", "c2")}
            tasks = [
                asyncio.ensure_future(turns.run(name[0], stays, lambda name=name: work(name, go_on[name])))
                for name in go_on
            ]
            seen = []
            for name in ("b1", "a1", "c1", "a2", "c2", "a3"):
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                seen.append(list(begun))
                go_on[name].set()
                await tasks[list(go_on).index(name)]
            assert seen == [
                ["a1", "b1"],
                ["a1", "b1", "c1"],
                ["a1", "b1", "c1", "a2"],
                ["a1", "b1", "c1", "a2", "c2"],
                ["a1", "b1", "c1", "a2", "c2", "a3"],
                ["a1", "b1", "c1", "a2", "c2", "a3"],
            ]

        asyncio.run(run())

    def test_who_leaves_before_its_turn_has_nothing_done(self):
        begun: list[str] = []

        async def work(name: str) -> None:
            begun.append(name)

        async def leaves() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def run() -> None:
            turns, go_on = Turns(1), asyncio.Event()
            first = asyncio.ensure_future(turns.run("a", stays, go_on.wait))
            await asyncio.sleep(0)
            await turns.run("a", leaves, lambda: work("gone"))
            go_on.set()
            await first
            await turns.run("a", stays, lambda: work("later"))

        asyncio.run(run())
        assert begun == ["later"]

    def test_a_turn_ends_with_an_error_too(self):
        async def fail() -> None:
            raise MemoryError

        async def run() -> bool | None:
            turns, done = Turns(1), asyncio.Event()
            done.set()
            with suppress(MemoryError):
                await turns.run("a", stays, fail)
            return await asyncio.wait_for(turns.run("a", stays, done.wait), 5)

        assert asyncio.run(run()) is True

"""Tables of cases that are gone through within one test."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest


def in_turn(
    names: str | tuple[str, ...], cases: Iterable[Any], ids: Iterable[str] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a test as pytest.mark.parametrize does, but have one test with a subtest for each case.

    For cases that are cheap and leave nothing behind: all share the test's fixtures. A fixture that has a
    method `reset` is reset before each case.
    """
    named = (names,) if isinstance(names, str) else names
    rows = [(case,) if isinstance(names, str) else tuple(case) for case in cases]
    labels = ids if ids is not None else [", ".join(map(str, row)) for row in rows]
    plain = [
        label.encode("ascii", "backslashreplace").decode() for label in labels
    ]  # workers send UTF-8 alone

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(test)
        kept = [each for each in signature.parameters.values() if each.name not in named]

        @functools.wraps(test)
        def go_through(*bound: Any, subtests: pytest.Subtests, **fixtures: Any) -> None:
            for label, row in zip(plain, rows, strict=True):
                with subtests.test(label):
                    for fixture in fixtures.values():
                        getattr(fixture, "reset", _nothing)()
                    test(*bound, **fixtures, **dict(zip(named, row, strict=True)))

        more = inspect.Parameter("subtests", inspect.Parameter.KEYWORD_ONLY)
        go_through.__signature__ = signature.replace(parameters=[*kept, more])
        return go_through

    return decorate


def _nothing() -> None:
    """Do as a fixture does that has no `reset`."""

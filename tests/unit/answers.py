"""Answers to the requests of a task, without an executor: pages and errors, in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.model.errors import StoreError

if TYPE_CHECKING:
    from exporter.stores.base import Marker, Page, PageRequest
    from exporter.stores.pagination.listing import Task


class Answers:
    """Answers what tasks request with these pages or errors, in turn; `asked` is what they asked."""

    def __init__(self, *answers: Page[Any] | StoreError) -> None:
        self.left = list(answers)
        self.asked: list[PageRequest] = []

    def to(self, task: Task[Any]) -> Any:
        """Return what the task returns, raise what it raises."""
        move, what = task.send, None
        while True:
            try:
                self.asked.append(move(what))
            except StopIteration as end:
                return end.value
            what = self.left.pop(0)
            move = task.throw if isinstance(what, StoreError) else task.send

    @property
    def markers(self) -> list[Marker | None]:
        return [ask.marker for ask in self.asked]

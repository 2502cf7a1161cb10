"""Questions about single uploads, which decide where a bucket's listing and other answers disagree."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.model.errors import GoneError, NotAnUploadError, Reason, StoreError
from exporter.stores.base import PageRequest
from exporter.stores.pagination.listing import list_by_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from exporter.config.settings import BucketSettings
    from exporter.model.uploads import Upload
    from exporter.scan.request_budget import RequestBudget
    from exporter.stores.engine.executor import Executor
    from exporter.stores.engine.retry import RetryPolicy
    from exporter.stores.pagination.listing import Task

REPLACEMENT = "\ufffd"
"""What stores write for a character that they cannot."""
NOT_ASKED = StoreError(Reason.THROTTLED, "scan.max_requests leaves no request for it")
"""The outcome of a question that the request budget has no room for."""


class Question(NamedTuple):
    """A question to be asked, and what receives its outcome: the task's result, or a StoreError."""

    task: Task[Any]
    answered: Callable[[Any], None]


class Questions:
    """Asks questions within the request budget; its tasks' labels are the questions. For one pass."""

    def __init__(self, executor: Executor, budget: RequestBudget, retry_policy: RetryPolicy) -> None:
        """Make it without questions; their calls are run by `executor` under `retry_policy`."""
        self._executor = executor
        self._budget = budget
        self._retry_policy = retry_policy
        self._waiting: deque[Iterator[Question]] = deque()

    def ask(self, questions: Iterable[Question]) -> None:
        """Queue questions; they are drawn one by one as calls become free."""
        self._waiting.append(iter(questions))

    def start_calls(self, max_concurrency: int) -> None:
        """Ask queued questions until the executor has this number of tasks."""
        self._budget.end_listing()
        while self._waiting and self._executor.active < max_concurrency:
            question = next(self._waiting[0], None)
            if question is None:
                self._waiting.popleft()
            elif self._budget.reserve(1):
                self._executor.start(question.task, question, self._retry_policy)
            else:
                question.answered(NOT_ASKED)


def is_listed_by_name(bucket: BucketSettings, upload: Upload) -> Task[bool]:
    """Ask whether an upload is in the listing of its own key, which is also asked for without outer blanks.

    Raises StoreError, also where the listing of the key has no end.
    """
    upload_id = upload.upload_id.strip()
    for key in dict.fromkeys((upload.key, upload.key.strip())):
        if not key:
            continue
        listing = yield from list_by_key(bucket, key)
        if any(each.upload_id.strip() == upload_id for each in listing.uploads):
            return True
        if not listing.complete:
            raise StoreError(Reason.BAD_RESPONSE, "the listing of one key cannot be read to its end")
    return False


def is_control_listed(bucket: BucketSettings, upload: Upload) -> Task[bool | None]:
    """Ask for an upload of the listing by name; None where that proves nothing, as the upload has ended.

    Raises StoreError.
    """
    if (yield from is_listed_by_name(bucket, upload)):
        return True
    try:
        yield PageRequest(bucket, upload, None)
    except (GoneError, NotAnUploadError):
        return None
    return (yield from is_listed_by_name(bucket, upload))


def is_denied_twice(bucket: BucketSettings, upload: Upload) -> Task[bool]:
    """Ask for an upload by name, for its parts, and by name again: whether the store denied it each time.

    A key in which the store replaced a character names nothing: such an upload cannot be denied. Raises
    StoreError, NotAnUploadError where it is listed rightly and no upload.
    """
    if REPLACEMENT in upload.key or (yield from is_listed_by_name(bucket, upload)):
        return False
    try:
        yield PageRequest(bucket, upload, None)
    except GoneError:
        return not (yield from is_listed_by_name(bucket, upload))
    return False

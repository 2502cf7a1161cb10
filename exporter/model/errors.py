"""The errors that rooms raise for each other, and the reasons that metrics and messages name.

Exception
├── StoreError             a request failed, or its answer is not valid
│   ├── GoneError          the upload ended between its listing and the call about its parts
│   └── NotAnUploadError   what was listed turns out to be no upload in progress
└── StoppingError          cancelled: the process ends, or the target is no longer watched
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from exporter.model.scarcity import TOO_LITTLE, is_scarcity
from exporter.text.redaction import unexpected

if TYPE_CHECKING:
    from logging import Logger


class Reason(StrEnum):
    """Why a scan or a request failed: a closed set, used as a metric label."""

    ACCESS_DENIED = "access_denied"
    CREDENTIALS = "credentials"
    NOT_FOUND = "not_found"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TLS = "tls"
    BAD_RESPONSE = "bad_response"
    UNSUPPORTED = "unsupported"
    INTERNAL = "internal"


class StoreError(Exception):
    """A request that failed, or an answer that is not valid.

    `code` is the store's own error code, '' without one; `status` the HTTP status, 0 without one; `retryable`
    whether another try may help; `garbled` marks an answer that cannot be read, though a store may have sent
    it; `retry_after` the seconds that the server asked to wait; `requests` the
    number of calls of the scan that this error ended, None where it ended none. The message is for people:
    it holds no secret, no signature and no object key.
    """

    def __init__(  # noqa: PLR0913 - a record of what is known
        self,
        reason: Reason,
        message: str,
        *,
        code: str = "",
        status: int = 0,
        retryable: bool = False,
        retry_after: float | None = None,
        garbled: bool = False,
    ) -> None:
        """Make an error; see the class for what the fields mean."""
        super().__init__(message)
        self.reason = reason
        self.requests: int | None = None
        self.code = code
        self.status = status
        self.retryable = retryable
        self.retry_after = retry_after
        self.garbled = garbled

    @classmethod
    def unexpected(cls, error: Exception, log: Logger, what: str) -> Self:
        """Return what stands for an exception that no store caused: a bug is logged, a lack of memory not."""
        if is_scarcity(error):
            return cls(Reason.INTERNAL, TOO_LITTLE)
        log.error(what, exc_info=error)
        return cls(Reason.INTERNAL, f"unexpected {type(error).__name__}")

    def detached(self) -> Self:
        """Forget where this error was raised, and what it was raised from; returns it.

        For an error that is kept as an outcome: its traceback's frames hold a response and a parsed document,
        and as one of them holds the error, only the garbage collector would free them.
        """
        self.__context__ = self.__cause__ = None
        return self.with_traceback(None)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something failed, as metrics, pages, logs and commands show it.

    The message is for people: it holds no secret, no signature and no object key.
    """

    reason: Reason
    message: str

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Return the failure that an exception stands for; any but a StoreError is a bug of the exporter.

        What a limit of memory or threads causes is internal, too, but nothing to report.
        """
        if isinstance(error, StoreError):
            return cls(error.reason, str(error))
        if is_scarcity(error):
            return cls(Reason.INTERNAL, TOO_LITTLE)
        return cls(Reason.INTERNAL, unexpected(error))

    def __str__(self) -> str:
        """Return reason and message as one text."""
        return f"{self.reason}: {self.message}" if self.message else self.reason.value


class StoppingError(Exception):
    """The work is cancelled: the process ends, or the target is no longer watched. Not a failure."""


class GoneError(StoreError):
    """The upload was completed or aborted between its listing and the call about its parts."""


class NotAnUploadError(StoreError):
    """The call about its parts shows that what was listed is no upload in progress: not a failure.

    For stores whose listing does not tell the two apart, such as Azure: the blob has been committed, or holds
    no uncommitted blocks. It is left out of every number.
    """

    def __init__(self, operation: str) -> None:
        """Make it of the name of the call that showed it."""
        super().__init__(Reason.BAD_RESPONSE, f"{operation}: this is no upload in progress", status=200)

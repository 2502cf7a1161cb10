"""The access token that requests to Google Cloud carry: found, and renewed before its end.

Application default credentials, as Google's own libraries look for them: a file named in the config or in
GOOGLE_APPLICATION_CREDENTIALS, the one that gcloud wrote, the metadata server.
https://cloud.google.com/docs/authentication/application-default-credentials
"""

from __future__ import annotations

import os
import re
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Protocol

from exporter.config.checks import PROJECT
from exporter.model.errors import Reason, StoreError
from exporter.stores.bounded_work import BoundedWork
from exporter.stores.gcs.identity_file import IdentityFile, find_identity_file
from exporter.stores.gcs.metadata_server import MetadataServer
from exporter.stores.temporary_keys import RENEW_BEFORE_SECONDS, TemporaryKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.config.settings import TargetSettings
    from exporter.stores.gcs.token import Token
    from exporter.stores.temporary_keys import Issued
    from exporter.stores.transport.client import Transport

GRACE_SECONDS = 1.0
"""What is ended at a deadline has this long to say so."""
_HELD_WAIT_SECONDS = 1.0
"""So long does a call wait for a new token where the old one holds; it is fetched all the same."""
_SHARE = 0.5
"""Share of a call's time that fetching a token may take: the call itself needs the rest."""


class Tokens(Protocol):
    """Gives the token of a target. Safe to use from many threads."""

    @property
    def project(self) -> str:
        """The project that the token's source names, '' for none."""

    def token(self, deadline: float) -> Token:
        """Return the token; takes no longer than `deadline` (monotonic clock).

        Raises StoreError (credentials) and StoppingError.
        """

    def doubt(self, refused: Token) -> None:
        """Have the next call fetch a token anew where this one, which the store refused, is still in use."""


class GcsCredentials:
    """The `Tokens` of one target: application default credentials."""

    def __init__(
        self,
        target: TargetSettings,
        transport: Transport,
        clock: Callable[[], float] = time.time,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Ask nothing yet. `clock` is Unix seconds; `environ` is the process's own by default."""
        self._target = target
        self._transport = transport
        self._clock = clock
        self._environ = environ
        self._file: IdentityFile | None = None
        self._tokens: TemporaryKeys[Token] = TemporaryKeys(self._fetch, clock)
        # google-auth sleeps between its retries, reads files, and runs commands that a file names
        self._work: BoundedWork[Issued[Token]] = BoundedWork(transport.stop)
        self._of_thread = threading.local()
        self._held: Issued[Token] | None = None
        self._late: Issued[Token] | None = None
        self._refused: Token | None = None

    @property
    def project(self) -> str:
        """The project that the environment names, else the file in use; '' for none."""
        named = self._environ.get("GOOGLE_CLOUD_PROJECT") or (self._file.project if self._file else "")
        return named if re.fullmatch(PROJECT, named) else ""  # it goes into a header

    def token(self, deadline: float) -> Token:
        """Return the token; see `Tokens`."""
        self._of_thread.deadline = deadline
        return self._tokens.get()

    def doubt(self, refused: Token) -> None:
        """Have the next call fetch another; see `Tokens`."""
        self._refused = refused
        self._tokens.doubt(refused)

    def _fetch(self) -> Issued[Token]:
        """Return a new token, for the call of this thread. Raises StoreError and StoppingError."""
        late, self._late = self._late, None
        self._held = late if late and self._holds(late, RENEW_BEFORE_SECONDS) else self._wait_for_one()
        return self._held

    def _holds(self, issued: Issued[Token] | None, seconds: float = 0.0) -> bool:
        """Whether a token is of use for so many seconds more."""
        if issued is None or issued.keys == self._refused:
            return False
        return self._clock() + seconds < issued.expires_at

    def _wait_for_one(self) -> Issued[Token]:
        """Fetch a token; where the old one holds, without waiting for long. Raises StoreError."""
        now = time.monotonic()
        deadline = now + (self._of_thread.deadline - now) * _SHARE
        until = deadline + GRACE_SECONDS
        if self._holds(self._held):
            until = min(until, now + _HELD_WAIT_SECONDS)
        try:
            issued = self._work.run(partial(self._keep, deadline), until)
        except TimeoutError:
            what = f"no token from {self._where()} within half of request_timeout; allow more time"
            raise StoreError(Reason.CREDENTIALS, what, retryable=True) from None
        except RuntimeError:  # of Python, which wraps the system's error
            what = "no thread can be started to fetch a token: raise the limit of processes"
            raise StoreError(Reason.CREDENTIALS, what, retryable=True) from None

        self._late = None
        return issued

    def _keep(self, deadline: float) -> Issued[Token]:
        """Find a token, and keep it for the next call where this one has given up."""
        self._late = issued = self._find(deadline)
        return issued

    def _find(self, deadline: float) -> Issued[Token]:
        path = find_identity_file(self._target.credentials.credentials_file, self._environ)
        if path is None:
            self._file = None
            return MetadataServer(self._transport, self._clock, self._environ).fetch(deadline)
        if self._file is None or self._file.path != path:
            self._file = IdentityFile(path, self._target, self._transport)
        return self._file.fetch(deadline)

    def _where(self) -> str:
        return f"what {self._file.name} names" if self._file else "the metadata server"

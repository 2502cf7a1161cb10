"""A target's boto3 client and the keys that it signs with, both found within the deadline of a call."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import botocore.exceptions
import botocore.session
from botocore.credentials import CredentialProvider, CredentialResolver, ReadOnlyCredentials
from botocore.credentials import Credentials as BotoCredentials

from exporter.model.errors import Reason, StoppingError, StoreError
from exporter.stores.aws.credentials import REFUSAL_VALID_SECONDS, find_credentials, open_session
from exporter.stores.aws.keys import Keys, checked, has_own_keys, no_credentials, own_keys
from exporter.stores.aws.lookup import Lookup
from exporter.stores.aws.sdk_errors import SDK_ERRORS, lookup_error, role_error, sdk_error
from exporter.stores.bounded_work import BoundedWork

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import TargetSettings
    from exporter.stores.transport.client import Call, Transport
    from exporter.stores.transport.response import Response

GRACE_SECONDS = 1.0
"""What is ended at a deadline has this long to say so."""
HELD_SECONDS = 60
"""Keys that are valid for longer than that are used where a renewal fails or takes long."""
SLOW_RENEWAL_SECONDS = 1.0
RENEWAL_PAUSE_SECONDS = 60.0
"""While the old keys hold, no others are asked for so long after a failure, or slowly for the same ones."""
DOUBT_PAUSE_SECONDS = 10.0
"""So long after a lookup that followed a refusal by the store none follows another."""
_UNCHANGING = {"env"}
"""Providers whose keys cannot change while the process runs."""


class Access(NamedTuple):
    """The client, and the keys of now."""

    client: Any
    keys: Keys


class SdkAccess:
    """Finds client and keys on a thread of its own, since a credential chain may hang. For many threads."""

    def __init__(  # noqa: PLR0913 - what it depends on
        self,
        target: TargetSettings,
        transport: Transport,
        send: Callable[..., Any],
        new_client: Callable[[boto3.Session], Any],
        read_error: Callable[[Response], tuple[str, str]],
        *,
        clock: Callable[[], float],
    ) -> None:
        """`send` sends the SDK's requests; `new_client` makes a session's client; `clock` is Unix seconds."""
        self._target = target
        self._transport = transport
        self._send = send
        self._new_client = new_client
        self._read_error = read_error
        self._clock = clock
        self._lookup = Lookup(transport.stop)
        self._work: BoundedWork[Access] = BoundedWork(transport.stop)
        self._given = _Given()
        self._sdk: tuple[botocore.session.Session, Any] | None = None
        self._found: Any = None
        self._held: Access | None = None
        self._renewed_in_vain = -RENEWAL_PAUSE_SECONDS
        self._doubted = False
        self._doubted_at = -DOUBT_PAUSE_SECONDS
        self._base_refused_at: float | None = None

    def get(self, operation: str, deadline: float) -> Access:
        """Return client and keys, which this thread's calls are then signed with.

        `deadline` is on the monotonic clock. Raises StoreError and StoppingError.
        """
        access = self._get(operation, deadline)
        self._given.keys = ReadOnlyCredentials(*access.keys)
        return access

    def doubt(self, refused: Keys) -> None:
        """Have the next call look for keys anew, if it would be signed with these, which the store refused.

        Files and commands of the SDK may have others by now, whatever was said of the time that these last.
        """
        held, found, now = self._held, self._found, self._clock()
        if held is None or found is None or held.keys != refused or found.method in _UNCHANGING:
            return
        if not 0 <= now - self._doubted_at < DOUBT_PAUSE_SECONDS:
            self._doubted_at, self._doubted = now, True

    def replaced(self, operation: str, deadline: float) -> bool:
        """Whether there are other keys than those of this thread's call, which the store refused.

        Raises StoreError and StoppingError.
        """
        given = self._given.keys
        refused = Keys(given.access_key or "", given.secret_key or "", given.token)
        self.doubt(refused)
        return self.get(operation, deadline).keys != refused

    def forget(self) -> None:
        """Begin anew: the SDK caches missing credentials and a wrong region."""
        self._sdk = self._found = self._held = None

    def _get(self, operation: str, deadline: float) -> Access:
        held, found = self._held, self._found
        if has_own_keys(self._target.credentials):
            keys = own_keys(self._target.credentials, operation)  # their files rotate
            return (held or self._ask(operation, deadline))._replace(keys=keys)
        if held is None or found is None:
            return self._ask(operation, deadline)
        if not (self._doubted or _is_due(found)):
            return held
        if _is_due(found, HELD_SECONDS):
            return self._ask(operation, deadline)
        waits = self._work.busy or 0 <= self._clock() - self._renewed_in_vain < RENEWAL_PAUSE_SECONDS
        if waits and not self._doubted:
            return held
        return self._renewed(operation, deadline, held)

    def _renewed(self, operation: str, deadline: float, held: Access) -> Access:
        """Return new keys, or the old ones, which hold, where that takes more than half of the time."""
        started = time.monotonic()
        try:
            access = self._ask(operation, started + (deadline - started) / 2)
        except StoreError:
            access, slow = held, True
        else:  # botocore itself passes over a failed renewal
            slow = time.monotonic() - started > SLOW_RENEWAL_SECONDS
        if slow and access.keys == held.keys:
            self._renewed_in_vain = self._clock()
        return access

    def _ask(self, operation: str, deadline: float) -> Access:
        try:
            return self._work.run(partial(self._find, operation, deadline), deadline + GRACE_SECONDS)
        except TimeoutError:
            cause = f"no keys from {self._lookup.source} within request_timeout"
            raise no_credentials(operation, cause) from None
        except RuntimeError:  # of Python, which wraps the system's error
            what = f"{operation}: no thread can be started to look for keys: raise the limit of processes"
            raise StoreError(Reason.CREDENTIALS, what, retryable=True) from None

    def _find(self, operation: str, deadline: float) -> Access:
        """Find client and keys; only on the thread that this is done on."""
        self._lookup.deadline, self._lookup.method = deadline, ""
        if not self._doubted:
            return self._find_once(operation, deadline)
        before = self._sdk, self._found, self._held
        self._doubted, self._sdk, self._found = False, None, None  # a session of the SDK reads its files once
        try:
            return self._find_once(operation, deadline)
        except (StoreError, StoppingError):
            self._sdk, self._found, self._held = before  # not all buckets need refuse the old keys
            raise

    def _find_once(self, operation: str, deadline: float) -> Access:
        if (
            self._base_refused_at is not None
            and self._clock() - self._base_refused_at > REFUSAL_VALID_SECONDS
        ):
            self._base_refused_at = self._sdk = self._found = None
        with self._transport.call(operation, deadline) as call:
            core, client = self._sdk = self._sdk or self._open(operation)
            self._held = Access(client, self._find_keys(call, core))
            return self._held

    def _open(self, operation: str) -> tuple[botocore.session.Session, Any]:
        try:
            core = open_session(self._target, self._send)
            core.register_component("credential_provider", CredentialResolver([_Provider(self._given)]))
            return core, self._new_client(boto3.Session(botocore_session=core))
        except SDK_ERRORS as error:
            raise sdk_error(operation, error, answered=False) from error

    def _find_keys(self, call: Call, core: botocore.session.Session) -> Keys:
        if has_own_keys(self._target.credentials):
            return own_keys(self._target.credentials, call.operation)
        try:
            if self._found is None:
                self._found = find_credentials(core, self._target, self._clock, self._lookup)
            self._lookup.method = self._found.method or ""
            keys = Keys(*self._found.get_frozen_credentials()[:3])
            return checked(keys, self._lookup.source)
        except (StoreError, StoppingError):
            raise
        except botocore.exceptions.ClientError as error:
            self._base_refused_at = self._base_refused_at or self._clock()
            if call.last_response is None:
                raise lookup_error(call.operation, error, self._lookup.source) from error
            raise role_error(
                call.operation, error, call.last_response, self._read_error(call.last_response)
            ) from error
        except Exception as error:  # whatever the environment makes of the chain
            if self._found is None or _is_due(self._found, HELD_SECONDS):
                self.forget()
            raise lookup_error(call.operation, error, self._lookup.source) from error


class _Given(BotoCredentials):
    """The keys that were found for this thread's call: the SDK signs with them and looks for none itself."""

    def __init__(self) -> None:
        super().__init__("", "", method="mpu-exporter")
        self._local = threading.local()

    @property
    def keys(self) -> ReadOnlyCredentials:
        """Those of this thread."""
        keys: ReadOnlyCredentials = self._local.keys
        return keys

    @keys.setter
    def keys(self, keys: ReadOnlyCredentials) -> None:
        self._local.keys = keys

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return self.keys


class _Provider(CredentialProvider):
    METHOD = "mpu-exporter"
    CANONICAL_NAME = "mpu-exporter"

    def __init__(self, given: _Given) -> None:
        super().__init__()
        self._given = given

    def load(self) -> BotoCredentials:
        return self._given


def _is_due(found: Any, seconds: int | None = None) -> bool:  # noqa: ANN401 - any of the SDK's credentials
    """Whether credentials have to be renewed, or end within so many seconds."""
    needed = getattr(found, "refresh_needed", None)
    try:
        return bool(needed and needed(seconds))
    except TypeError:  # their end was given without a time zone: whoever asks for the keys is told so
        return True

"""A security token service: sessions of roles for those whom they trust; and an S3 that knows only these.

It checks signatures, trust and external ids, and answers as Amazon's does.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.auth import SigV4Auth

from servers.s3 import S3, Key, error, iso, sigv4_fault
from servers.standin import Fault, Faults, Reply, Request

ASSUME, WEB = "AssumeRole", "AssumeRoleWithWebIdentity"
_SHORTEST, _LONGEST = 900, 43200


@dataclass
class Role:
    """Whom a role trusts: access keys, with an external id if any, or the bearers of web tokens."""

    keys: set[str] = field(default_factory=set)
    external_id: str | None = None
    web_tokens: set[str] = field(default_factory=set)
    longest: int = _LONGEST


@dataclass
class Session:
    """What was handed out."""

    role: str
    name: str
    seconds: int
    key: Key


class Sts:
    """The server's state and its handler: `StandIn(Sts())`. `lifetime` overrides the sessions' own."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """Make a server without roles and keys."""
        self.roles: dict[str, Role] = {}
        self.keys: dict[str, Key] = {}
        self.sessions: dict[str, Session] = {}
        """By access key."""
        self.lifetime: float | None = None
        self.faults = Faults()
        self._now = now
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        said = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        operation = said.get("Action", "")
        faults: list[Fault] = self.faults.next_for(operation)
        with self._lock:
            reply = self._answer(request, operation, said)
        for fault in faults:
            reply = fault.reply(reply)
        return reply

    def _answer(self, request: Request, operation: str, said: dict[str, str]) -> Reply:
        role = self.roles.get(said.get("RoleArn", ""), Role())
        if operation == ASSUME:
            refusal = self._refuse(request, said, role)
        elif operation == WEB:
            known = said.get("WebIdentityToken") in role.web_tokens
            refusal = None if known else denied("InvalidIdentityToken", "No such token.", 400)
        else:
            return denied("InvalidAction", f"Could not find operation {operation}", 400)
        seconds = int(said.get("DurationSeconds", "3600"))
        if refusal is None and not _SHORTEST <= seconds <= role.longest:
            message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            refusal = denied("ValidationError", message, 400)
        return refusal or self._hand_out(operation, said, seconds)

    def _refuse(self, request: Request, said: dict[str, str], role: Role) -> Reply | None:
        credential = request.headers.get("authorization", "").partition("Credential=")[2]
        access_key_id = credential.partition("/")[0]
        key = self.keys.get(access_key_id)
        if key is None:
            return denied("InvalidClientTokenId", "The security token included in the request is invalid.")
        if fault := sigv4_fault(request, key, SigV4Auth, self._now()):
            status, code, message = fault
            return denied(code, message, status)
        if access_key_id not in role.keys or role.external_id != said.get("ExternalId"):
            message = f"User {access_key_id} may not perform: sts:AssumeRole on {said['RoleArn']}"
            return denied("AccessDenied", message)
        return None

    def _hand_out(self, operation: str, said: dict[str, str], seconds: int) -> Reply:
        number = len(self.sessions)
        key = Key(f"ASIA{number:06}EXAMPLE", f"session-secret-{number}", f"session-token-{number}")
        session = Session(said["RoleArn"], said["RoleSessionName"], seconds, key)
        self.sessions[key.access_key_id] = session
        until = self._now() + (seconds if self.lifetime is None else self.lifetime)
        fields = {
            "AccessKeyId": key.access_key_id,
            "SecretAccessKey": key.secret,
            "SessionToken": key.token or "",
            "Expiration": iso(until),
        }
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
        result = f"<{operation}Result><Credentials>{inner}</Credentials></{operation}Result>"
        body = f'<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{result}</{operation}Response>'
        return Reply(200, {"Content-Type": "text/xml"}, body.encode())


class RolesS3(S3):
    """An S3 that knows nobody but the sessions of an STS; each bucket lets one role in."""

    def __init__(self, sts: Sts) -> None:
        """Make an empty server; `readers` are the roles of the buckets, by name."""
        super().__init__()
        self.sts = sts
        self.readers: dict[str, str] = {}
        self.wrong: list[tuple[str, str]] = []
        """Buckets that another role's session asked for, and that role."""

    def authorize(self, request: Request) -> Reply | None:
        """Return the refusal of a request that is not signed by a session of the bucket's role."""
        credential = request.headers.get("authorization", "").partition("Credential=")[2]
        session = self.sts.sessions.get(credential.partition("/")[0])
        if session is None:
            return error(403, "InvalidAccessKeyId", "The AWS Access Key Id does not exist in our records.")
        if fault := sigv4_fault(request, session.key, self.auth_class, self._now()):
            return error(*fault)
        bucket, _ = self.address(request)
        if bucket and self.readers.get(bucket, session.role) != session.role:
            self.wrong.append((bucket, session.role))
            return error(403, "AccessDenied", "Access Denied")
        return None


def denied(code: str, message: str, status: int = 403) -> Reply:
    """Return a refusal as STS writes it."""
    said = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
    body = f"<ErrorResponse><Error>{said}</Error><RequestId>1</RequestId></ErrorResponse>"
    return Reply(status, {"Content-Type": "text/xml"}, body.encode())

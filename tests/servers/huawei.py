"""What gives temporary keys on Huawei Cloud: the metadata service of a server, and IAM for workloads.

Written after the ECS guide ("Obtaining Metadata") and the API of IAM (tokens by an id token, OS-CREDENTIAL).
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime

from servers.s3 import Key
from servers.standin import Reply, Request

SESSION_SECONDS = 3600


class Identities:
    """The server's state and its handler: `StandIn(Identities(...))`. Hands out one key after the other."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Make a server with an agency that knows no metadata tokens, and an IAM that knows no workload."""
        self.clock = clock
        self.lasts = SESSION_SECONDS
        self.agency = True
        self.needs_token = False
        self.workloads: dict[tuple[str, str], dict[str, object] | None] = {}
        """By provider and id token: the scope that is asked for."""
        self.issued: list[Key] = []
        self.spoil: Callable[[Reply], Reply] = lambda reply: reply
        """Changes what is answered."""
        self._tokens: set[str] = set()

    def __call__(self, request: Request) -> Reply:
        return self.spoil(self._answer(request))

    def _answer(self, request: Request) -> Reply:
        route = (request.method, request.path)
        if route == ("PUT", "/meta-data/latest/api/token"):
            return self._metadata_token(request)
        if route == ("GET", "/openstack/latest/securitykey"):
            return self._security_key(request)
        if route == ("POST", "/v3.0/OS-AUTH/id-token/tokens"):
            return self._token(request)
        if route == ("POST", "/v3.0/OS-CREDENTIAL/securitytokens"):
            return self._keys_by_token(request)
        return Reply(404)

    def _metadata_token(self, request: Request) -> Reply:
        if not self.needs_token:
            return Reply(404)
        assert int(request.headers["x-metadata-token-ttl-seconds"]) > 0
        self._tokens.add("metadata-token")
        return Reply(200, {}, b"metadata-token")

    def _security_key(self, request: Request) -> Reply:
        if self.needs_token and request.headers.get("x-metadata-token") not in self._tokens:
            return Reply(401)
        return self._issue() if self.agency else Reply(404, {}, b"no agency")

    def _token(self, request: Request) -> Reply:
        auth = json.loads(request.body)["auth"]
        name = (request.headers.get("x-idp-id", ""), auth["id_token"]["id"])
        if name not in self.workloads or auth.get("scope") != self.workloads[name]:
            return Reply(401, {}, b'{"error_msg": "no such workload", "error_code": "IAM.0001"}')
        self._tokens.add("iam-token")
        return Reply(201, {"X-Subject-Token": "iam-token"}, b'{"token": {}}')

    def _keys_by_token(self, request: Request) -> Reply:
        identity = json.loads(request.body)["auth"]["identity"]
        if identity["methods"] != ["token"] or identity["token"]["id"] not in self._tokens:
            return Reply(401)
        return self._issue(201)

    def _issue(self, status: int = 200) -> Reply:
        number = len(self.issued) + 1
        key = Key(f"TEMPORARY{number}", f"secret-{number}", f"token-{number}")
        self.issued.append(key)
        ends = datetime.fromtimestamp(self.clock() + self.lasts, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        said = {
            "access": key.access_key_id,
            "secret": key.secret,
            "securitytoken": key.token,
            "expires_at": ends,
        }
        return Reply(status, {"Content-Type": "application/json"}, json.dumps({"credential": said}).encode())

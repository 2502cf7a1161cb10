"""What gives keys of Huawei's cloud: a server's metadata and IAM, both in one, over HTTP.

Written from the documents of Elastic Cloud Server ("Metadata Types") and of IAM ("Obtaining a Token with an
OpenID Connect ID Token", "Obtaining a Temporary Access Key and Security Token").
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

from servers.s3 import Key
from servers.standin import Faults, Reply, Request

METADATA_TOKEN, SECURITY_KEY = "PUT /meta-data/latest/api/token", "GET /openstack/latest/securitykey"
ID_TOKEN, TEMPORARY_KEY = "POST /v3.0/OS-AUTH/id-token/tokens", "POST /v3.0/OS-CREDENTIAL/securitytokens"


class Huawei:
    """The servers' state and their handler: `StandIn(Huawei())`. Without `agency` the server has none."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """Make servers that hand out the key of `number` 1, then of 2, and so on, good for `seconds`."""
        self.agency = True
        self.needs_token = False
        """Whether the metadata is for those only that asked for a token first."""
        self.providers: dict[str, str] = {}
        """The ID tokens that identity providers vouch for, by the provider."""
        self.seconds = 24 * 3600.0
        self.handed_out = 0
        self.faults = Faults()
        self._now = now

    def __call__(self, request: Request) -> Reply:
        operation = f"{request.method} {request.path}"
        reply = self._answer(request, operation)
        for fault in self.faults.next_for(operation):
            reply = fault.reply(reply)
        return reply

    def _answer(self, request: Request, operation: str) -> Reply:
        if operation == METADATA_TOKEN:
            ttl = request.headers.get("x-metadata-token-ttl-seconds", "")
            return Reply(200, {}, b"metadata-token") if ttl.isdecimal() and self.needs_token else Reply(405)
        if operation == SECURITY_KEY:
            if self.needs_token and request.headers.get("x-metadata-token") != "metadata-token":
                return Reply(401)
            return self._hand_out(200) if self.agency else Reply(404)
        said = json.loads(request.body)["auth"]
        if operation == ID_TOKEN:
            provider = request.headers.get("x-idp-id", "")
            known = said["id_token"]["id"] == self.providers.get(provider, object())
            return Reply(201, {"X-Subject-Token": "federated"}, b"{}") if known else Reply(401, {}, b"{}")
        if operation == TEMPORARY_KEY:
            known = said["identity"]["token"]["id"] == "federated"
            return self._hand_out(201) if known else Reply(401)
        return Reply(404)

    def _hand_out(self, status: int) -> Reply:
        self.handed_out += 1
        key = key_of(self.handed_out)
        until = datetime.fromtimestamp(self._now() + self.seconds, UTC)
        credential = {
            "access": key.access_key_id,
            "secret": key.secret,
            "securitytoken": key.token,
            "expires_at": until.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        headers = {"Content-Type": "application/json"}
        return Reply(status, headers, json.dumps({"credential": credential}).encode())


def key_of(number: int) -> Key:
    """Return the key that is handed out as this one."""
    return Key(f"HST{number:05}EXAMPLE", f"agency-secret-{number}", f"agency-token-{number}")

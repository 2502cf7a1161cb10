"""What gives tokens on Google Cloud: OAuth, STS, IAM and the metadata server, each after its documentation.

https://developers.google.com/identity/protocols/oauth2/service-account, the references of STS and of IAM's
credentials, https://cloud.google.com/compute/docs/access/authenticate-workloads
"""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from servers.standin import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_SECONDS = 3600
ACCOUNT = "exporter@media-123456.iam.gserviceaccount.com"
REFRESH_TOKEN = "1//0eXaMpLe-refresh-token-of-a-person-2026"
CLIENT_SECRET = "GOCSPX-d0nt-tell-anybody-4of-this"
SUBJECT_TOKEN = "subject-token-Of-Another-Cloud-0123456789"
HOSTS = ("oauth2.googleapis.com", "sts.googleapis.com", "iamcredentials.googleapis.com")
_METADATA = "/computeMetadata/v1/instance/service-accounts/default/token"
_KEY = rsa.generate_private_key(65537, 2048)
PRIVATE_KEY = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Identities:
    """The services' state and their handler: `StandIn(Identities())`. Gives one token after the other.

    `now` is Unix seconds; google-auth reckons with the system's clock. `spoil` changes what is answered.
    """

    def __init__(self) -> None:
        self.lasts = TOKEN_SECONDS
        self.issued: list[str] = []
        self.scopes: list[str] = []
        """What was asked for with each token that names scopes."""
        self.may_impersonate = True
        self.subject_tokens = {SUBJECT_TOKEN}
        self.spoil: Callable[[Request, Reply], Reply] = lambda _, reply: reply

    def __call__(self, request: Request) -> Reply:
        return self.spoil(request, self._answer(request))

    def _answer(self, request: Request) -> Reply:
        if request.path == _METADATA:
            return self._metadata(request)
        if request.path.endswith(":generateAccessToken"):
            return self._impersonate(request)
        if request.path == "/subject" and request.headers.get("x-audience") == "google":
            return _json(200, {"id": SUBJECT_TOKEN})
        if request.method != "POST":
            return Reply(404)
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        return {"/token": self._oauth, "/v1/token": self._exchange, "/v1/oauthtoken": self._external_user}[
            request.path
        ](form)

    def _oauth(self, form: dict[str, str]) -> Reply:
        if form["grant_type"] == "refresh_token":
            known = (form["refresh_token"], form["client_secret"]) == (REFRESH_TOKEN, CLIENT_SECRET)
            return (
                self._issue() if known else _json(400, {"error": "invalid_grant", "error_description": "Bad"})
            )
        claims = _verified(form["assertion"])
        if claims["iss"] != ACCOUNT or abs(claims["iat"] - time.time()) > 600:
            return _json(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        self.scopes.append(claims["scope"])
        return self._issue()

    def _exchange(self, form: dict[str, str]) -> Reply:
        token = form["subject_token"]
        aws = "GetCallerIdentity" in token and "AKIAIOSFODNN7EXAMPLE" in token
        if token not in self.subject_tokens and not aws:
            return _json(
                400, {"error": "invalid_grant", "error_description": "The subject token is not valid."}
            )
        self.scopes.append(form["scope"])
        return self._issue(issued_token_type="urn:ietf:params:oauth:token-type:access_token")

    def _external_user(self, form: dict[str, str]) -> Reply:
        known = form["refresh_token"] == REFRESH_TOKEN
        return self._issue() if known else _json(400, {"error": "invalid_grant"})

    def _impersonate(self, request: Request) -> Reply:
        if request.headers["authorization"].removeprefix("Bearer ") not in self.issued:
            return _json(401, {"error": {"code": 401, "message": "Request had invalid credentials."}})
        if not self.may_impersonate:
            text = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
            return _json(403, {"error": {"code": 403, "message": text, "status": "PERMISSION_DENIED"}})
        self.scopes.append(" ".join(json.loads(request.body)["scope"]))
        ends = datetime.fromtimestamp(time.time() + self.lasts, UTC)
        return _json(200, {"accessToken": self._next(), "expireTime": ends.strftime("%Y-%m-%dT%H:%M:%SZ")})

    def _metadata(self, request: Request) -> Reply:
        if request.headers.get("metadata-flavor") != "Google":
            return Reply(403)
        reply = self._issue()
        return Reply(200, {"Metadata-Flavor": "Google", **reply.headers}, reply.body)

    def _issue(self, **more: str) -> Reply:
        said = {"access_token": self._next(), "expires_in": self.lasts, "token_type": "Bearer"}
        return _json(200, said | more)

    def _next(self) -> str:
        self.issued.append(f"ya29.issued-{len(self.issued) + 1}")
        return self.issued[-1]


def _verified(assertion: str) -> dict[str, object]:
    """Return the claims of a token that the service account's key has signed."""
    signed, _, signature = assertion.rpartition(".")
    _KEY.public_key().verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), SHA256())
    claims: dict[str, object] = json.loads(_decoded(signed.partition(".")[2]))
    return claims


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _json(status: int, said: dict[str, object]) -> Reply:
    return Reply(status, {"Content-Type": "application/json"}, json.dumps(said).encode())

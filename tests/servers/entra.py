"""Who gives tokens for Azure: Microsoft Entra ID, and the services of managed identities.

Written after the documentation of the client credentials flow, of Entra's error codes, and of the managed
identities of virtual machines, App Service and Azure Arc.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from servers.standin import Reply, Request

if TYPE_CHECKING:
    from pathlib import Path

TOKEN_SECONDS = 3599
TENANT, CLIENT = "8c9e1f6a-tenant", "f00d-client"
SCOPE, RESOURCE = "https://storage.azure.com/.default", "https://storage.azure.com"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Tokens:
    """The server's state and its handler: `StandIn(Tokens(...))`. Hands out one token after the other."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Make a server that knows one application and has a system-assigned identity."""
        self.clock = clock
        self.lasts = TOKEN_SECONDS
        self.secret = "the-secret-of-the-application"
        self.assertion = "the.workloads.token"
        self.identities: set[str] = {""}
        """Client ids of managed identities, '' for the system-assigned one."""
        self.header = "the-secret-of-the-sandbox"
        self.arc_file: Path | None = None
        self.arc_realm = ""
        """What the challenge names instead of the file, if anything."""
        self.issued = 0
        self.spoil: Callable[[Reply], Reply] = lambda reply: reply
        """Changes what is answered."""

    def __call__(self, request: Request) -> Reply:
        return self.spoil(self._answer(request))

    def _answer(self, request: Request) -> Reply:
        if request.method == "POST":
            return self._by_application(request)
        assert request.method == "GET"
        assert request.argument("resource") == RESOURCE
        versions = {
            "/metadata/identity/oauth2/token": ("2018-02-01", "metadata", "true"),
            "/msi/token": ("2019-08-01", "x-identity-header", self.header),
            "/arc": ("2020-06-01", "metadata", "true"),
        }
        version, header, value = versions[request.path]
        if request.headers.get(header) != value:
            return _refused(400, "invalid_request", "Required metadata header not specified")
        assert request.argument("api-version") == version
        if request.path == "/arc" and (challenge := self._arc_challenge(request)):
            return challenge
        if request.argument("client_id") not in self.identities:
            return _refused(400, "invalid_request", "Identity not found")
        ends = {"expires_in": str(self.lasts), "expires_on": str(int(self.clock()) + self.lasts)}
        return self._issue(**ends, resource=RESOURCE)

    def _by_application(self, request: Request) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert (form["grant_type"], form["scope"]) == ("client_credentials", SCOPE)
        if request.path != f"/{TENANT}/oauth2/v2.0/token":
            return _entra(
                400, "invalid_request", f"AADSTS90002: Tenant '{request.path.split('/')[1]}' not found."
            )
        if form["client_id"] != CLIENT:
            what = f"AADSTS700016: Application with identifier '{form['client_id']}' was not found"
            return _entra(400, "unauthorized_client", what)
        if "client_secret" in form:
            right, wrong = (
                form["client_secret"] == self.secret,
                "AADSTS7000215: Invalid client secret provided.",
            )
        else:
            assert form["client_assertion_type"] == ASSERTION_TYPE
            right = form["client_assertion"] == self.assertion
            wrong = (
                "AADSTS700213: No matching federated identity record found for presented assertion subject."
            )
        return self._issue(expires_in=self.lasts) if right else _entra(401, "invalid_client", wrong)

    def _arc_challenge(self, request: Request) -> Reply | None:
        assert self.arc_file
        secret = self.arc_file.read_text() if self.arc_file.is_file() else "no file"
        if request.headers.get("authorization") == f"Basic {secret}":
            return None
        realm = self.arc_realm or self.arc_file
        return Reply(401, {"WWW-Authenticate": f"Basic realm={realm}"})

    def _issue(self, **more: object) -> Reply:
        self.issued += 1
        answer = {"token_type": "Bearer", "access_token": f"token-{self.issued}", **more}
        return Reply(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())


def _entra(status: int, error: str, what: str) -> Reply:
    ends = "Trace ID: 1b6e0b0c Correlation ID: 5d2f0a1e Timestamp: 2026-09-21 14:13:20Z"
    return _refused(status, error, f"{what} {ends}")


def _refused(status: int, error: str, what: str) -> Reply:
    answer = {"error": error, "error_description": what}
    return Reply(status, {"Content-Type": "application/json"}, json.dumps(answer).encode())

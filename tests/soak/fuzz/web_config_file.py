"""The web config file: TLS, users and headers of the server, or every problem of it, without a secret."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import trustme
from soak.fuzz.told import check_line

from exporter.config.problems import ConfigError
from exporter.web.auth import tls_context
from exporter.web.auth.config import WebConfig, read_web_config, referenced_files
from exporter.web.auth.middleware import AuthMiddleware
from exporter.web.auth.schema import HEADERS, MAX_BCRYPT_COST

assert tls_context  # imported here to have its branches counted
_TESTS = Path(__file__).parents[2]
_SECRET = "hunter2-of-the-environment"
_HASH = "$2y$04$Z9fJcPBVSYEdXGQvEvLKdOuXcbWn5i0Y6yKj0UYVNqyb0cWWhYkUu"
_BCRYPT = re.compile(rb"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
ENVIRON = {"SECRET": _SECRET, "HASH": _HASH, "EMPTY": ""}
_TLS = "tls_server_config: {cert_file: cert.pem, key_file: key.pem"
SEEDS = [
    *(path.read_bytes() for path in sorted((_TESTS / "config" / "web" / "bad").glob("*.yml"))),
    b"{}",
    f"{_TLS}}}\n".encode(),
    f"{_TLS}, client_ca_file: ca.pem, min_version: TLS13,"
    " client_auth_type: RequireAndVerifyClientCert}".encode(),
    f"{_TLS}, client_ca_file: ca.pem, client_allowed_sans: [a],"
    " client_auth_type: VerifyClientCertIfGiven}".encode(),
    f"{_TLS}, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256], "
    "curve_preferences: [X25519]}\n".encode(),
    f"basic_auth_users: {{prometheus: '{_HASH}'}}\nauth_excluded_paths: [/-/healthy]\n".encode(),
    b"basic_auth_users: {prometheus: '${HASH}', other: '${SECRET}'}\n",
    (
        b"http_server_config: {http2: false, headers: {X-Frame-Options: deny,"
        b" Content-Security-Policy: \"default-src 'self'\"}}\n"
    ),
]
WORDS = [
    *(
        f"{key}: ".encode()
        for key in ("tls_server_config", "http_server_config", "basic_auth_users", "headers", "http2")
    ),
    *(
        f"{key}: ".encode()
        for key in ("cert_file", "key_file", "client_ca_file", "client_auth_type", "min_version")
    ),
    *(
        f"{key}: ".encode()
        for key in ("max_version", "cipher_suites", "curve_preferences", "client_allowed_sans")
    ),
    *(
        f"{key}: ".encode()
        for key in ("auth_excluded_paths", "rate_limit", "prefer_server_cipher_suites", "cert")
    ),
    *(name.encode() for name in HEADERS),
    *(
        b"TLS10",
        b"TLS12",
        b"TLS13",
        b"CurveP256",
        b"X25519",
        b"RequireAnyClientCert",
        b"NoClientCert",
        b"cert.pem",
    ),
    *(
        b"key.pem",
        b"other-key.pem",
        b"ca.pem",
        b"broken.pem",
        b"/dev/null",
        b"../x",
        b"\\0",
        b"\\n",
        b"\\r\\n: x",
    ),
    *(
        b"${SECRET}",
        b"${HASH}",
        b"${",
        b"$${",
        b"TLS_AES_128_GCM_SHA256",
        b"TLS_RSA_WITH_AES_128_CBC_SHA",
        _HASH.encode(),
    ),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b"\n  ",
        b"- ",
        b"null",
        b"true",
        b"&a ",
        b"*a",
        b"<<: ",
        b"!!str ",
        b"1e3",
        b"0x1F",
    ),
]
_FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-web-"))
_FILE = _FOLDER / "web.yml"
os.chdir(_FOLDER)


def _make_certificates() -> None:
    authority = trustme.CA()
    ours, other = (authority.issue_cert("localhost") for _ in range(2))
    authority.cert_pem.write_to_path("ca.pem")
    ours.cert_chain_pems[0].write_to_path("cert.pem")
    ours.private_key_pem.write_to_path("key.pem")
    other.private_key_pem.write_to_path("other-key.pem")
    Path("broken.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIhunter2\n-----END CERTIFICATE-----\n")


_make_certificates()


def check(data: bytes) -> None:
    """Read one file."""
    _FILE.write_bytes(data)
    try:
        web_config = read_web_config(_FILE, ENVIRON)
    except ConfigError as error:
        _check_problems(error)
    else:
        _check_web_config(web_config, data)


def _check_problems(error: ConfigError) -> None:
    assert error.problems
    for problem in error.problems:
        assert problem.startswith(f"{_FILE}:")
        check_line(problem)
        assert _SECRET not in problem, "a secret is told"
        assert _HASH not in problem, "a hash is told"
        assert "MIIhunter2" not in problem, "a file's content is told"


def _check_web_config(web_config: WebConfig, data: bytes) -> None:
    """What is accepted can be served with, and passwords are asked for where the file has users."""
    assert _HASH not in repr(replace(web_config, headers=())), "a header tells what it is given"
    for user, hashed in web_config.users.items():
        assert user
        assert ":" not in user
        found = _BCRYPT.fullmatch(hashed)
        assert found
        assert int(found[1]) <= MAX_BCRYPT_COST
    assert all(path.startswith("/") for path in web_config.public_paths)
    names = {name.lower().encode() for name in HEADERS}
    for name, value in web_config.headers:
        assert name in names
        assert not set(value) - set(range(0x20, 0x7F))
    for file in referenced_files(_FILE, ENVIRON):
        assert file.is_file()
    assert (web_config.tls_context is not None) == (b"tls_server_config" in data and _has_tls())
    status = asyncio.run(_ask(web_config))
    assert status == (401 if web_config.users and "/secret" not in web_config.public_paths else 200)


def _has_tls() -> bool:
    return any(file.suffix == ".pem" for file in referenced_files(_FILE, ENVIRON))


async def _ask(web_config: WebConfig) -> int:
    """Return the status of a request without a password, as the middleware answers it."""
    statuses = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: dict[str, Any]) -> None:
        statuses.extend([message["status"]] if message["type"] == "http.response.start" else [])

    scope = {"type": "http", "path": "/secret", "headers": [], "client": ("127.0.0.1", 1)}
    await AuthMiddleware(app, lambda: web_config)(scope, None, send)
    return statuses[0]

"""Whole web config files: every rule has a bad file, and beside it the exact text that a person gets."""

from __future__ import annotations

import os
import shutil
import ssl
from pathlib import Path

import pytest
from servers import need_package

from exporter.config.problems import ConfigError
from exporter.web.auth.config import WebConfig, read_web_config, referenced_files

trustme = need_package("trustme")
serialization = need_package("cryptography.hazmat.primitives.serialization")

BAD = Path(__file__).with_name("web") / "bad"
FILES = sorted(BAD.glob("*.yml"))
HASH = "$2y$04$Z9fJcPBVSYEdXGQvEvLKdOuXcbWn5i0Y6yKj0UYVNqyb0cWWhYkUu"
TLS = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a CA, a certificate and keys, good and bad."""
    folder, ca = tmp_path_factory.mktemp("pem"), trustme.CA()
    ours, other = (ca.issue_cert("localhost") for _ in range(2))
    ca.cert_pem.write_to_path(folder / "ca.pem")
    ours.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    ours.private_key_pem.write_to_path(folder / "key.pem")
    other.private_key_pem.write_to_path(folder / "other-key.pem")
    key = serialization.load_pem_private_key(ours.private_key_pem.bytes(), None)
    how = serialization.BestAvailableEncryption(b"hunter2")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    (folder / "encrypted-key.pem").write_bytes(key.private_bytes(*form, how))
    (folder / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIhunter2\n-----END CERTIFICATE-----\n")
    return folder


@pytest.fixture
def here(pem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with these and the bad files, and stand in it."""
    for folder in (pem, BAD):
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_web_config(Path(name), {})
    return "\n".join(caught.value.problems) + "\n"


def read(here: Path, text: str) -> WebConfig:
    (here / "web.yml").write_text(text)
    return read_web_config(here / "web.yml", {})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_bad_file_gets_its_text(path: Path, here: Path):
    """REWRITE_EXPECTED=1 in the environment rewrites the texts; read the difference before committing it."""
    expected, found = path.with_suffix(".txt"), problems(path.name)
    if os.environ.get("REWRITE_EXPECTED"):
        expected.write_text(found)
    assert expected.read_text() == found
    assert "hunter" not in found


def test_every_text_has_its_file():
    assert {path.stem for path in FILES} == {path.stem for path in BAD.glob("*.txt")}


def test_nothing_is_asked_where_nothing_is_said(here: Path):
    assert WebConfig() == read(here, "{}")


def test_users_paths_and_headers_are_taken_over(here: Path):
    web_config = read(
        here,
        f"basic_auth_users: {{ann: {HASH}}}\n"
        "auth_excluded_paths: [/-/healthy]\n"
        "http_server_config: {http2: false, headers: {X-Frame-Options: sameorigin, X-XSS-Protection: ''}}\n",
    )
    assert {"ann": HASH.encode()} == web_config.users
    assert frozenset({"/-/healthy"}) == web_config.public_paths
    assert web_config.headers == ((b"x-frame-options", b"sameorigin"), (b"x-xss-protection", b""))
    assert HASH not in repr(web_config)


def test_the_defaults_are_those_of_the_toolkit(here: Path):
    context = read(here, TLS).tls_context
    assert (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3) == (
        context.minimum_version,
        context.maximum_version,
    )
    assert context.verify_mode == ssl.CERT_NONE
    assert context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert context.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("NoClientCert", ssl.CERT_NONE),
        ("RequestClientCert", ssl.CERT_NONE),
        ("VerifyClientCertIfGiven\n  client_ca_file: ca.pem", ssl.CERT_OPTIONAL),
        ("RequireAndVerifyClientCert\n  client_ca_file: ca.pem", ssl.CERT_REQUIRED),
    ],
)
def test_each_kind_of_client_check(here: Path, kind: str, mode: ssl.VerifyMode):
    assert mode == read(here, f"{TLS}  client_auth_type: {kind}\n").tls_context.verify_mode


@pytest.mark.parametrize("version", ["TLS10", "TLS11", "TLS12", "TLS13"])
def test_each_version_can_be_the_only_one(here: Path, version: str):
    context = read(here, f"{TLS}  min_version: {version}\n  max_version: {version}\n").tls_context
    wanted = f"TLSv1_{version[-1]}".removesuffix("_0")
    assert [wanted] * 2 == [context.minimum_version.name, context.maximum_version.name]


def test_suites_are_those_named(here: Path):
    context = read(
        here,
        f"{TLS}  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, TLS_RSA_WITH_AES_128_GCM_SHA256]\n"
        "  prefer_server_cipher_suites: false\n  curve_preferences: [CurveP384]\n",
    ).tls_context
    older = [suite["name"] for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"]
    assert older == ["ECDHE-RSA-AES256-SHA", "AES128-GCM-SHA256"]
    assert not context.options & ssl.OP_CIPHER_SERVER_PREFERENCE


def test_suites_of_tls_1_3_alone_leave_out_what_is_older(here: Path):
    context = read(here, f"{TLS}  cipher_suites: [TLS_AES_128_GCM_SHA256]\n").tls_context
    assert ssl.TLSVersion.TLSv1_3 == context.minimum_version


def test_variables_are_read_from_the_environment(here: Path):
    (here / "web.yml").write_text("basic_auth_users: {ann: '${HASH}'}\n")
    assert {"ann": HASH.encode()} == read_web_config(here / "web.yml", {"HASH": HASH}).users


def test_the_files_named_are_told(here: Path):
    (here / "web.yml").write_text(f"{TLS}  client_ca_file: /ca.pem\n")
    expected = [here / "cert.pem", here / "key.pem", Path("/ca.pem")]
    assert expected == sorted(referenced_files(here / "web.yml", {}), key=lambda path: path.name == "ca.pem")

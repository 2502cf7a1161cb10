"""Secrets in texts of others, and texts that only look a little like them."""

import json
from pathlib import Path

import pytest

from exporter.config.load import load
from exporter.config.problems import ConfigError
from exporter.text.redaction import REDACTED, redact

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SIGNATURE = "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024"
TOKEN = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmYUuw="

ACCOUNT_KEY = "/kk" + 27 * "QrS" + "aa=="
SAS_SIGNATURE = "c2lnbmF0dXJl%2Fb2YgYSB0b2tlbg%3D%3D"
JWT = "eyJ0eXAiOiJKV1QifQ.eyJhdWQiOiJzdG9yYWdlIn0.c2lnbmF0dXJlLW9mLWl0"
CLIENT_SECRET = "abC8Q~dEfGhIjKlMnOpQrStUvWxYz.aBcDeFgHiJk"
REFRESH_TOKEN = "1//0gR3freshTokenOfA-person_who-l0gged-in"
GOOGLE_SECRET = "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"
GOOGLE_TOKEN = "ya29.c.b0AXv0zTPi-nothing"


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        SIGNATURE,
        TOKEN,
        f"secret={SECRET}",
        f"aws_secret_access_key={SECRET}",
        f"AccessKey: {SECRET}",
        f'"SecretAccessKey": "{SECRET}"',
        f"x-amz-security-token: {TOKEN}",
        f"Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/x, Signature={SIGNATURE}",
        "Authorization: AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=",
        "OBS SomeAccessKey12:frJIUN8DYpKDtOLCwo//yllqDzg=",
        f"https://s3.example.com/b?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F2026&X-Amz-Signature={SIGNATURE}&x=1",
        "https://obs.example.com/b?AccessKeyId=ABCDEFGHIJ&Expires=1&Signature=frJIUN8DYpKDtOLCwo%2F%2FyllqDzg%3D",
        "password=hunter2 and more",
        "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc",
        "AccessKeyId=HUAWEIKEY123",
        f"SessionToken: {TOKEN}",
        "idToken=hunter2",
        ACCOUNT_KEY,
        f"AccountName=media1;AccountKey={ACCOUNT_KEY};EndpointSuffix=core.windows.net",
        f"account_key: {ACCOUNT_KEY}",
        f"BlobEndpoint=https://media1.blob.core.windows.net;SharedAccessSignature=sv=1&sig={SAS_SIGNATURE}",
        f"https://media1.blob.core.windows.net/photos?sp=rl&sig={SAS_SIGNATURE}&sv=2021-12-02",
        f"/photos?sp=rl&sig={SAS_SIGNATURE}",
        f"https://proxy.example.com/?u=https%3A%2F%2Fx%2F%3Fsp%3Drl%26sig%3D{SAS_SIGNATURE}",
        f'{{"sig": "{SAS_SIGNATURE}"}}',
        f"SharedKey media1:{ACCOUNT_KEY}",
        f"Authorization: SharedKey media1:{ACCOUNT_KEY}",
        f"bearer {JWT}",
        JWT,
        f"client_assertion={JWT}&client_secret={CLIENT_SECRET}",
        CLIENT_SECRET,
        GOOGLE_TOKEN,
        REFRESH_TOKEN,
        f'{{"refresh_token": "{REFRESH_TOKEN}", "client_secret": "{GOOGLE_SECRET}"}}',
        GOOGLE_SECRET,
        f"connection_string: DefaultEndpointsProtocol=https;AccountName=a;AccountKey={ACCOUNT_KEY}",
        f"Authorization: Bearer {GOOGLE_TOKEN}",
        "GOOG1EXAMPLEEXAMPLEEXAMPLE",
        '"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\nabcdef\\n-----END PRIVATE KEY-----\\n"',
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ\nabcdef\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_is_secret_is_hidden(text: str):
    shown = redact(text)
    assert REDACTED in shown
    pieces = (SECRET, SIGNATURE, TOKEN, "AKIA", "frJIUN8DYpKDtOLCwo", "hunter2", "eyJhb", "HUAWEIKEY123")
    azure = ("QrSQrS", "c2ln", "eyJ", "abC8Q", "aBcDe")
    google = ("0gR3", "a1b2", "b0AX", "GOOG1", "MIIEvQ", "abcdef")
    assert [piece for piece in (*pieces, *azure, *google) if piece in shown] == []


@pytest.mark.parametrize(
    "text",
    [
        "ListParts: HTTP 403 (AccessDenied Access Denied); grant the permission (docs/permissions.md)",
        "credentials: expired",
        "Failed to connect to bucket-of-ours-2026.s3.eu-west-1.amazonaws.com:443 after 3 ms",
        "arn:aws:iam::111122223333:role/MpuExporter",
        "a-bucket-whose-name-is-as-long-as-a-name-2026-may-be",
        'File "/usr/lib/python3.11/site-packages/Exporter/some/Where/deep/in/the/tree/file1.py"',
        "request 4442587FB7D0A2F9",
        "123e4567-e89b-12d3-a456-426614174000",
        "the tokenizer",
        "GetToken: HTTP 401 (AADSTS90002: Tenant 'a' not found.); check AZURE_TENANT_ID",
        "GetAccessToken: no token for the credentials file",
        "CreateTokenWithIdToken: HTTP 401: check identity provider, mapping and project",
        "sas_token has no signature; copy the SAS token whole",
        "account_key is not base64; copy one of the two access keys of the storage account",
        "a design: one signal",
        "check the bearer token of the workload",
        "Signature not valid in the specified time frame",
        "https://media1.blob.core.windows.net/photos?restype=container&comp=list&sv=2021-12-02&sp=rl",
    ],
)
def test_what_is_not_stays(text: str):
    assert redact(text) == text


def test_what_is_wrong_with_the_secrets_of_a_config_stays(tmp_path: Path):
    given = {
        "access_key_id": "",
        "secret_access_key_file": "/nowhere/key",
        "session_token": [],
        "account_key": "a2V5",
        "sas_token": "sv",
        "connection_string": "a=b",
        "sas_token_file": "/nowhere",
    }
    targets = [
        {"name": name, "store": store, "buckets": ["b"], "credentials": credentials}
        for name, store, credentials in (
            ("all", "azure", given),
            ("key", "s3", {"access_key_id": "AKIA"}),
            ("secret", "s3", {"secret_access_key": "k"}),
            ("token", "s3", {"session_token": "t"}),
        )
    ]
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps({"targets": targets}))
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    problems = str(caught.value).replace(str(tmp_path), "")
    assert problems.count("credentials.") > 8
    assert redact(problems) == problems

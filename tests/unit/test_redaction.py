"""Secrets in texts of others, and texts that only look a little like them."""

import pytest

from exporter.text.redaction import REDACTED, redact

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SIGNATURE = "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024"
TOKEN = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmYUuw="


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
    ],
)
def test_what_is_secret_is_hidden(text: str):
    shown = redact(text)
    assert REDACTED in shown
    for piece in (SECRET, SIGNATURE, TOKEN, "AKIA", "frJIUN8DYpKDtOLCwo", "hunter2", "eyJhb", "HUAWEIKEY123"):
        assert piece not in shown


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
    ],
)
def test_what_is_not_stays(text: str):
    assert redact(text) == text

"""Azure's account, key and SAS token: what of a config they are, and what requests carry of them."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from contract.rigs import failure
from fakes import NOW, Recorder

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.model.errors import Reason
from exporter.stores.azure.account import AzureAccount, read_account
from exporter.stores.azure.credentials import AzureCredentials
from exporter.stores.azure.entra import Application
from exporter.stores.azure.signing import API_VERSION, BearerToken, SasToken, SharedKey
from exporter.stores.transport.client import Request, Transport

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a2V5IG9mIHRoZSBhY2NvdW50"
SAS = "sv=2021-12-02&ss=b&srt=sco&sp=rl&se=2030-01-01T00%3A00%3A00Z&sig=c2lnbmF0dXJl%2B%2Fx%3D"
DATE = "Mon, 21 Sep 2026 14:13:20 GMT"
MEDIA = AzureAccount("media1", "https://media1.blob.core.windows.net")
EMULATOR = AzureAccount("devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1")


def target(
    account: str | None = "media1", endpoint_url: str | None = None, **secrets: str | Secret
) -> TargetSettings:
    given = {name: text if isinstance(text, Secret) else Secret(text) for name, text in secrets.items()}
    return TargetSettings(
        "t",
        StoreKind.AZURE,
        (BucketSettings("photos"),),
        account=account,
        endpoint_url=endpoint_url,
        credentials=Credentials(**given),
    )


def keys(settings: TargetSettings) -> object:
    transport = Transport(Recorder(), threading.Event())
    return AzureCredentials(settings, transport, lambda: NOW).keys(1e12)


class TestAccount:
    @pytest.mark.parametrize(
        ("account", "endpoint_url", "expected"),
        [
            ("media1", None, MEDIA),
            (
                "media1",
                "https://media1.blob.core.usgovcloudapi.net/",
                "https://media1.blob.core.usgovcloudapi.net",
            ),
            ("media1", "https://blob.core.chinacloudapi.cn", "https://media1.blob.core.chinacloudapi.cn"),
            (
                "media1",
                "https://media1-secondary.blob.core.windows.net",
                "https://media1-secondary.blob.core.windows.net",
            ),
            ("media1", "https://blob.example.com", "https://blob.example.com"),
            ("media1", "https://files.example.com:8443", "https://files.example.com:8443"),
            ("devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1/", EMULATOR),
            ("devstoreaccount1", "http://127.0.0.1:10000", EMULATOR),
            ("devstoreaccount1", "http://azurite:10000", "http://azurite:10000/devstoreaccount1"),
            ("media1", "http://127.0.0.1:10000/relay/", "http://127.0.0.1:10000/relay"),
            ("devstoreaccount1", "http://[::1]:10000", "http://[::1]:10000/devstoreaccount1"),
        ],
    )
    def test_its_url_is_the_public_one_or_that_of_the_config(
        self, account: str, endpoint_url: str | None, expected: str | AzureAccount
    ):
        found = read_account(target(account, endpoint_url))
        assert (expected if isinstance(expected, AzureAccount) else AzureAccount(account, expected)) == found

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                f"DefaultEndpointsProtocol=https;AccountName=media1;AccountKey={KEY};EndpointSuffix=core.windows.net",
                MEDIA,
            ),
            (f"AccountName=media1;AccountKey={KEY}", MEDIA),
            (
                f"accountname=media1;accountkey={KEY};endpointsuffix=core.usgovcloudapi.net;",
                AzureAccount("media1", "https://media1.blob.core.usgovcloudapi.net"),
            ),
            (f"BlobEndpoint=https://media1.blob.core.windows.net/;SharedAccessSignature={SAS}", MEDIA),
            (
                f"AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;",
                EMULATOR,
            ),
            (
                f"BlobEndpoint=https://media1-secondary.blob.core.windows.net/;SharedAccessSignature={SAS}",
                AzureAccount("media1", "https://media1-secondary.blob.core.windows.net"),
            ),
            (
                f"BlobEndpoint=https://someone:secret@media1.blob.core.windows.net;SharedAccessSignature={SAS}",
                MEDIA,
            ),
            ("UseDevelopmentStorage=true", EMULATOR),
        ],
    )
    def test_a_connection_string_names_it(self, text: str, expected: AzureAccount):
        assert expected == read_account(target(None, connection_string=text))

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            (f"AccountKey={KEY}", "names no server"),
            (f"BlobEndpoint=ftp://x;AccountKey={KEY}", "names no server"),
            (f"BlobEndpoint=https://[::1;AccountKey={KEY}", "names no server"),
            (f"AccountName=a\r\nX: y;AccountKey={KEY}", "names no server"),
            (f"AccountName=a;BlobEndpoint=http://x/a b;AccountKey={KEY}", "names no server"),
            (KEY, "must be fields such as"),
            ("", "is empty"),
        ],
    )
    def test_what_is_none_is_said_without_its_text(self, text: str, what: str):
        error = failure(read_account, target(None, connection_string=text))
        assert error.reason is Reason.CREDENTIALS
        assert str(error).startswith("connection_string")
        assert what in str(error)
        assert KEY not in str(error)


class TestSharedKey:
    """What azure-storage-blob 12.31.1 signs with the same key and date."""

    @pytest.mark.parametrize(
        ("account", "path", "arguments", "url", "signature"),
        [
            (MEDIA, "/", [("comp", "list")], "/?comp=list", "SeFGdhE9JhsPYn7aSyzFmnVPShKCo00W7S9KVALqe48="),
            (
                MEDIA,
                "/photos",
                [
                    ("restype", "container"),
                    ("comp", "list"),
                    ("include", "uncommittedblobs"),
                    ("prefix", "a b/é&"),
                    ("maxresults", "5000"),
                ],
                "/photos?restype=container&comp=list&include=uncommittedblobs&prefix=a%20b%2F%C3%A9%26&maxresults=5000",
                "rFWmcHyU6swMLLU/xB+2a1uU21G13OdKsrCtGS3veNw=",
            ),
            (
                MEDIA,
                "/photos/a%20b/%C3%A9%3F.mov",
                [("comp", "blocklist"), ("blocklisttype", "uncommitted")],
                "/photos/a%20b/%C3%A9%3F.mov?comp=blocklist&blocklisttype=uncommitted",
                "wTS/wHxgJCegTaMB86Ay/dIW1Mn5fjY8/XDSyenYsnA=",
            ),
            (
                EMULATOR,
                "/photos/x",
                [("comp", "blocklist"), ("blocklisttype", "uncommitted")],
                "/photos/x?comp=blocklist&blocklisttype=uncommitted",
                "VV3FigTDaRKd6JbHJmnHJhEQig091Ieka9MztOSld0M=",
            ),
        ],
        ids=["account", "container", "blob", "the account's name twice"],
    )
    def test_signs_as_the_sdk_does(
        self, account: AzureAccount, path: str, arguments: list[tuple[str, str]], url: str, signature: str
    ):
        expected = (
            f"{account.url}{url}",
            [
                f"Authorization: SharedKey {account.name}:{signature}",
                f"x-ms-date: {DATE}",
                f"x-ms-version: {API_VERSION}",
            ],
        )
        assert expected == SharedKey(b"key of the account").sign(account, path, arguments, NOW + 0.9)

    def test_is_the_config_s_base64(self):
        assert SharedKey(b"key of the account") == keys(target(account_key=KEY))
        assert SharedKey(b"key of the account") == keys(
            target(None, connection_string=f"AccountName=a;AccountKey={KEY}")
        )

    @pytest.mark.parametrize("text", ["not base64!", "Zm9v!Zm9v", "Zm9", "{key}", "é"])
    def test_what_is_no_key_is_not_sent(self, text: str):
        error = failure(keys, target(account_key=text))
        assert error.reason is Reason.CREDENTIALS
        assert str(error).startswith("account_key is not base64; copy one of the two access keys")
        assert text not in str(error)


class TestSasToken:
    def test_ends_each_url_as_it_was_issued(self):
        token = SasToken(SAS)
        lines = [f"x-ms-version: {API_VERSION}"]
        assert (f"{MEDIA.url}/?comp=list&{SAS}", lines) == token.sign(MEDIA, "/", [("comp", "list")], NOW)
        assert (f"{MEDIA.url}/a?{SAS}", lines) == token.sign(MEDIA, "/a", [], NOW)

    @pytest.mark.parametrize(
        "text", [SAS, f"?{SAS}", f"https://media1.blob.core.windows.net/photos?{SAS}", f"{SAS}&"]
    )
    def test_is_taken_however_it_was_copied(self, text: str):
        assert SasToken(SAS) == keys(target(sas_token=text))

    def test_may_stand_in_a_connection_string(self):
        text = f"BlobEndpoint=https://media1.blob.core.windows.net;SharedAccessSignature={SAS}"
        assert SasToken(SAS) == keys(target(None, connection_string=text))

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("sv=2021-12-02&se=2030", "has no signature"),
            ("sv=2021-12-02 &sig=abc", "holds a space"),
            ("sv=1\nsig=abc", "holds a line break"),
            ("sv=1&sig=é", "holds characters other than printable ASCII"),
        ],
    )
    def test_what_is_none_is_not_sent(self, text: str, fault: str):
        error = failure(keys, target(sas_token=text))
        said = f"sas_token {fault}; copy the SAS token whole, its signature too; nothing was sent"
        assert (Reason.CREDENTIALS, said) == (error.reason, str(error))


@pytest.mark.parametrize("name", ["account_key", "sas_token", "connection_string"])
def test_a_file_is_read_again_and_its_lack_is_said(tmp_path: Path, name: str):
    file = tmp_path / "secret"
    settings = target(None, "https://media1.blob.core.windows.net", **{name: Secret(file=file)})
    texts = {"account_key": KEY, "sas_token": SAS, "connection_string": f"AccountName=a;AccountKey={KEY}"}
    expected = SasToken(SAS) if name == "sas_token" else SharedKey(b"key of the account")
    for spoil, why in [
        (lambda: None, "cannot be read (No such file or directory)"),
        (lambda: file.write_text("\n"), "is empty"),
        (lambda: file.write_bytes(b"\xff"), "is no text"),
        (lambda: (file.unlink(), os.mkfifo(file)), "cannot be read (is not a regular file)"),
    ]:
        spoil()
        error = failure(keys, settings)
        assert (Reason.CREDENTIALS, f"{name}_file ({file}) {why}; check it and who writes it") == (
            error.reason,
            str(error),
        )
    file.unlink()
    file.write_text(f"{texts[name]}\n")
    assert expected == keys(settings)


def test_a_connection_string_without_a_key_says_so():
    error = failure(keys, target(None, connection_string="AccountName=media1"))
    assert "connection_string: names neither key nor signature" in str(error)


def test_no_secret_is_in_a_repr():
    given = (SharedKey(b"QmVhcmVy"), SasToken("QmVhcmVy"), BearerToken("QmVhcmVy"))
    assert [repr(each) for each in given] == ["SharedKey()", "SasToken()", "BearerToken()"]
    application = Application("tenant", "client", "QmVhcmVy", "/file")
    assert repr(application) == "Application(tenant='tenant', client='client', token_file='/file')"


def test_a_wrong_name_of_an_account_is_said_where_its_host_is_not_found():
    transport = Transport(Recorder(), threading.Event())
    url = f"{read_account(target('nobody', 'https://nobody.blob.core.invalid')).url}/"
    with transport.call("ListBlobs", 1e12):
        error = failure(transport.send, Request("ListBlobs", "GET", url, ()))
    assert error.reason is Reason.CONNECTION
    assert "nobody.blob.core.invalid; no storage account has this name, or DNS" in str(error)

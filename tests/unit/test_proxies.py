"""The environment's proxies: which of them a URL goes through, as botocore and requests decide it."""

import itertools

import pytest
from botocore.utils import get_environ_proxies
from cases import in_turn
from requests.utils import should_bypass_proxies

from exporter.stores.transport.proxies import has_proxies, proxy_for

PROXY = "http://proxy:3128"
URLS = [
    *("http://s3.example.org/b", "https://s3.example.org/b", "http://s3.example.org:9000/b?a=//x"),
    *("http://media.s3.example.org:9000/", "http://badexample.org/", "http://S3.Example.ORG/"),
    *("http://127.0.0.1:9000/", "http://[::1]:9000/", "http://[::1]/", "http://localhost/"),
]
EXCEPTIONS = [
    *("", "*", "s3.example.org", ".example.org", "example.org", "EXAMPLE.org", "s3.example.org:9000"),
    *("s3.example.org:1", "example.org:9000", " a.test , example.org ", "127.0.0.1", "127.0.0.1:9000", "127"),
    *("[::1]", "[::1]:9000", "[::1]:1", "localhost", "org", "s3.example.org.evil", ",,"),
]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch):
    for name, upper in itertools.product(("http", "https", "all", "no"), (False, True)):
        variable = f"{name}_proxy"
        monkeypatch.delenv(variable.upper() if upper else variable, raising=False)


def test_without_a_proxy_there_is_none():
    assert (has_proxies(), proxy_for("http://s3.example.org/")) == (False, "")


@in_turn(("url", "exceptions"), list(itertools.product(URLS, EXCEPTIONS)))
def test_exceptions_are_those_of_botocore(monkeypatch: pytest.MonkeyPatch, url: str, exceptions: str):
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, PROXY)
    monkeypatch.setenv("NO_PROXY", exceptions)
    expected = next(iter(get_environ_proxies(url).values()), "")
    assert proxy_for(url) == expected


@in_turn("exceptions", ["10.0.0.0/8", "10.1.2.3/32", "11.0.0.0/8", "10.0.0.0/x"])
def test_networks_are_those_of_requests(monkeypatch: pytest.MonkeyPatch, exceptions: str):
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", exceptions)
    assert (proxy_for("http://10.1.2.3/") == "") == should_bypass_proxies("http://10.1.2.3/", None)


def test_a_port_counts_too_where_the_url_leaves_it_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", "obs.example.org:443")
    assert [proxy_for(f"https://obs.example.org{port}/") for port in ("", ":443", ":444")] == ["", "", PROXY]

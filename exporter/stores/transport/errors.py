"""StoreErrors for libcurl's error codes.

https://curl.se/libcurl/c/libcurl-errors.html
"""

from __future__ import annotations

import re

import pycurl

from exporter.model.errors import Reason, StoreError
from exporter.model.scarcity import TOO_LITTLE
from exporter.text.file_limit import shortage

_TLS = frozenset(
    {
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CIPHER,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_ISSUER_ERROR,
        pycurl.E_SSL_PINNEDPUBKEYNOTMATCH,
        pycurl.E_SSL_INVALIDCERTSTATUS,
        pycurl.E_SSL_ENGINE_INITFAILED,
        pycurl.E_SSL_CRL_BADFILE,
    }
)
_ALERT = "alert"
"""Under TLS 1.3 a refused client certificate is reported after the handshake, as an error of reading."""
_OUT_OF_RESOURCES = frozenset({pycurl.E_OUT_OF_MEMORY, pycurl.E_FAILED_INIT})
_MAY_LACK_FILES = _OUT_OF_RESOURCES | {
    pycurl.E_COULDNT_CONNECT,
    pycurl.E_COULDNT_RESOLVE_HOST,
    pycurl.E_COULDNT_RESOLVE_PROXY,
    pycurl.E_SSL_CACERT_BADFILE,
    pycurl.E_SSL_CERTPROBLEM,
}
"""What libcurl says where it can open no socket, no file of the resolver's and none of certificates."""
_TOO_LARGE = 100  # CURLE_TOO_LARGE
_HEAD_TOO_LARGE = "Too large response headers"
"""libcurl's text, under another code, for a head of more than 300 KiB."""
_UNREADABLE = {
    pycurl.E_BAD_CONTENT_ENCODING: "the body cannot be decoded",
    pycurl.E_UNSUPPORTED_PROTOCOL: "the answer is not HTTP/1",
    8: "the answer is not HTTP",  # CURLE_WEIRD_SERVER_REPLY
    _TOO_LARGE: "the headers are too large",
}
_FROM_ELSEWHERE = re.compile("Token|SecurityKey")
"""In the names of calls to other servers than `endpoint_url`: to those that give tokens and keys."""
_AZURE_HOST = ".blob."
"""Each storage account has a host of its own."""
NO_MEMORY = "other answers took all the memory that there is for answers (docs/operations.md)"
"""The text of a timeout that came of it."""


def too_large(limit: int, items: int) -> pycurl.error:
    """Return the error of a body over `limit` bytes, or of a listing that had so many items by then."""
    if items:
        what = f"the answer is larger than the cap of pages (docs/operations.md): {items:,} uploads were read"
        text = f"{what} until there; watch the bucket in parts, a target for each prefix"
    else:
        text = f"the answer is larger than the cap of {limit / 2**20:,.0f} MiB; check endpoint_url"
    return pycurl.error(pycurl.E_FILESIZE_EXCEEDED, text)


def out_of_files(operation: str, text: str) -> StoreError | None:
    """Return the error of a call that found no file descriptor left, None where enough are."""
    if not (lacking := shortage()):
        return None
    text = ": ".join(filter(None, (operation, text, lacking)))
    return StoreError(Reason.CONNECTION, f"{text}, or lower scan.concurrency or scan.workers", retryable=True)


def from_curl(operation: str, error: pycurl.error) -> StoreError:
    """Return the StoreError for an error of libcurl, whose text may name hosts, but no keys."""
    code, said = error.args
    if code == pycurl.E_WRITE_ERROR:  # Python lacked the memory to take what was received
        return StoreError(Reason.INTERNAL, f"{operation}: {TOO_LITTLE}", retryable=True)
    said = "" if code in _OUT_OF_RESOURCES else said
    lacking = out_of_files(operation, said) if code in _MAY_LACK_FILES else None
    return lacking or _from_code(operation, error)


def _from_code(operation: str, error: pycurl.error) -> StoreError:
    code, text = int(error.args[0]), f"{operation}: {error.args[1]}"
    is_of_store = not _FROM_ELSEWHERE.search(operation)
    if code == pycurl.E_OPERATION_TIMEDOUT:
        advice = "check endpoint_url, or allow more time" if is_of_store else "allow more time"
        what = f"no complete answer within request_timeout; {advice}"
        if error.args[1] == NO_MEMORY:
            what = f"{NO_MEMORY}; lower scan.concurrency or scan.workers"
        return StoreError(Reason.TIMEOUT, f"{operation}: {what}", retryable=True)
    if code == pycurl.E_PARTIAL_FILE:
        return StoreError(Reason.BAD_RESPONSE, f"{operation}: the answer was cut short", retryable=True)
    if code in _UNREADABLE or _HEAD_TOO_LARGE in text:
        code = code if code in _UNREADABLE else _TOO_LARGE
        text = f"{operation}: {_UNREADABLE[code]}; check endpoint_url"
    if code in _UNREADABLE or code == pycurl.E_FILESIZE_EXCEEDED:
        return StoreError(Reason.BAD_RESPONSE, text)
    if code in _OUT_OF_RESOURCES:
        advice = "raise the limit of open files or lower scan.concurrency"
        return StoreError(Reason.CONNECTION, f"{text}; {advice}", retryable=True)
    if code in _TLS or ("SSL routines" in text and _ALERT in text):
        server = "endpoint_url" if is_of_store else "that server"
        advice = f"check tls.ca_file, the certificate, and whether {server} speaks TLS"
        return StoreError(Reason.TLS, f"{text}; {advice}")
    advice = f"check {'endpoint_url, ' if is_of_store else ''}DNS, firewall and proxy"
    if code == pycurl.E_COULDNT_RESOLVE_HOST and _AZURE_HOST in text:
        advice = "no storage account has this name, or DNS does not know it: check account, DNS and proxy"
    return StoreError(Reason.CONNECTION, f"{text}; {advice}", retryable=True)

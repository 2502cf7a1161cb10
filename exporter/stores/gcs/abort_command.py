"""The command that aborts an upload to Google Cloud Storage.

No tool of Google's does it, so it is a request of the XML API, sent by curl with a token of gcloud's.
https://cloud.google.com/storage/docs/xml-api/delete-multipart
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from exporter.model.abort import AbortCommand
from exporter.stores.gcs.route import bucket_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.uploads import Upload

_SCRIPT = (
    "token=$(gcloud auth print-access-token) || exit 1; "
    'answer=$(printf "Authorization: Bearer %s" "$token" | '
    "curl --silent --show-error --path-as-is --request DELETE --header @- "
    '--write-out " HTTP %{http_code}" "$@"); '
    '[ "$answer" = " HTTP 204" ] || { printf "%s\\n" "$answer" >&2; exit 1; }'
)
"""The token goes through a pipe: arguments can be read by all users of a machine.

An abort is answered by 204 and an empty body. A redirect or a page is another server's, and aborts nothing.
"""
_RAW_BYTES = "no URL can hold a key with bytes that are not UTF-8: an abort rule of the bucket removes it"


def abort_command(
    target: TargetSettings,
    bucket: BucketSettings,
    upload: Upload,
    region: str,  # noqa: ARG001 - a bucket has one address wherever it is
) -> AbortCommand:
    """Return the command, as a POSIX shell takes it, with gcloud's login of who runs it."""
    try:
        key, upload_id = quote(upload.key, safe="/"), quote(upload.upload_id, safe="")
    except UnicodeEncodeError:
        return AbortCommand(instead=_RAW_BYTES)
    payer = f"&userProject={target.user_project}" if target.user_project else ""
    url = f"{bucket_url(target, bucket.name)}/{key}?uploadId={upload_id}{payer}"
    return AbortCommand((("sh", "-c", _SCRIPT, "abort", *_connection(target), url),))


def _connection(target: TargetSettings) -> Iterator[str]:
    """Yield how the server is reached; a proxy with a password is left to whoever runs it."""
    if target.proxy_url and "@" not in urlsplit(target.proxy_url).netloc:
        yield from ("--proxy", target.proxy_url)
    if target.tls.insecure_skip_verify:
        yield "--insecure"
    elif target.tls.ca_file:
        yield from ("--cacert", str(target.tls.ca_file))
    if target.tls.cert_file:
        yield from ("--cert", str(target.tls.cert_file))
        yield from ("--key", str(target.tls.key_file or target.tls.cert_file))

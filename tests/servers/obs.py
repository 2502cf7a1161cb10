"""A Huawei OBS server of uploads in progress, written from its API documents, not from its SDK.

Pages, faults and errors are those of the S3 stand-in; namespace, owners, encoding and signatures are OBS's.
https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0010.html (signature), obs_04_0097.html (listing).
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import quote_plus, unquote

from servers.s3 import EPOCH, S3, Key, Listing, error, iso
from servers.standin import Reply, Request

NAMESPACE = "http://obs.myhwclouds.com/doc/2015-06-30/"
_SKEW_SECONDS = 15 * 60
_HEADER_PREFIXES = {"OBS": "x-obs-", "AWS": "x-amz-"}
_SUBRESOURCES = {"acl", "delete", "lifecycle", "location", "logging", "partNumber", "policy", "tagging"} | {
    *("response-content-type", "uploadId", "uploads", "versionId", "versioning", "versions", "website"),
}
_ENCODED = ("Delimiter", "KeyMarker", "NextKeyMarker", "Prefix", "Key")


@dataclass
class ObsListing(Listing):
    """A page as OBS writes it."""

    def _element(self, name: str, value: str | None) -> str:
        if name in {"Initiator", "Owner"} and value is not None:
            return f"<{name}><ID>{self.write(value)}</ID></{name}>"
        return super()._element(name, value)


class Obs(S3):
    """The server's state and its handler: `StandIn(Obs(...))`. Takes signatures of all three kinds."""

    namespace = NAMESPACE
    signatures: frozenset[str] = frozenset({"OBS", "AWS", "AWS4-HMAC-SHA256"})
    """The schemes of the Authorization header that this server knows."""

    def __call__(self, request: Request) -> Reply:
        if request.method == "HEAD" and "apiversion" in request.query:
            return Reply(200, {"x-obs-api": "3.0"})
        return super().__call__(request)

    def authorize(self, request: Request) -> Reply | None:
        scheme = request.headers.get("authorization", "").partition(" ")[0]
        if scheme not in self.signatures:
            return error(403, "AccessDenied", "Access Denied")
        if scheme == "AWS4-HMAC-SHA256":
            return super().authorize(request)
        fault = self._fault(request, self.key, scheme)
        return error(*fault) if fault else None

    def _fault(self, request: Request, key: Key, scheme: str) -> tuple[int, str, str] | None:
        prefix = _HEADER_PREFIXES[scheme]
        access_key_id, _, signature = request.headers["authorization"].partition(" ")[2].partition(":")
        if access_key_id != key.access_key_id:
            return (
                403,
                "InvalidAccessKeyId",
                "The OBS Access Key Id you provided does not exist in our records.",
            )
        if key.expired or request.headers.get(f"{prefix}security-token") != key.token:
            return 400, "ExpiredToken" if key.expired else "InvalidToken", "The provided token is of no use."
        if signature != sign(key.secret, string_to_sign(request, prefix, self._resource(request))):
            return 403, "SignatureDoesNotMatch", "The request signature we calculated does not match."
        date = request.headers.get(f"{prefix}date") or request.headers["date"]
        if abs(parsedate_to_datetime(date).timestamp() - self._now() - self.skew) > _SKEW_SECONDS:
            return (
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and now is too large.",
            )
        return None

    def _resource(self, request: Request) -> str:
        """Return the canonical resource: bucket and key as they were sent, then the sub-resources."""
        host = request.host.rpartition(":")[0] or request.host
        domain = f".{self._domain}"
        bucket = f"/{host.removesuffix(domain)}" if host.endswith(domain) else ""
        pairs = [pair.partition("=") for pair in request.raw_query.split("&")]
        named = sorted(
            (name, equals, unquote(value)) for name, equals, value in pairs if name in _SUBRESOURCES
        )
        query = "&".join("".join(pair) for pair in named)
        return f"{bucket}{request.raw_path}{'?' if query else ''}{query}"

    def _refuse(self, request: Request, name: str) -> Reply | None:
        del request
        if name not in self.buckets:
            return error(404, "NoSuchBucket", "The specified bucket does not exist")
        return None

    def _list_buckets(self, request: Request, _bucket: str, _key: str) -> Listing | Reply:
        """Return a page by name: buckets and parallel file systems, unless only one kind is asked for."""
        names, after = sorted(self.buckets), request.argument("marker")
        rest = [name for name in names if name > after]
        page = rest[: self.buckets_page]
        more = len(page) < len(rest)
        wants_location = "true" in {
            request.headers.get(f"{prefix}location") for prefix in ("x-obs-", "x-amz-")
        }
        items: list[dict[str, str | None]] = [
            {
                "Name": name,
                "CreationDate": iso(EPOCH),
                "Location": self.regions.get(name, "eu-west-101") if wants_location else None,
                "BucketType": "POSIX" if name.startswith("pfs-") else "OBJECT",
            }
            for name in page
        ]
        fields: dict[str, str | None] = {
            "IsTruncated": "true" if more else "false",
            "NextMarker": page[-1] if more else None,
        }
        return ObsListing("ListAllMyBucketsResult", fields, "Bucket", items, NAMESPACE, within="Buckets")

    def _list_uploads(self, request: Request, bucket: str, key: str) -> Listing | Reply:
        return _as_obs(super()._list_uploads(request, bucket, key), request)

    def _list_parts(self, request: Request, bucket: str, key: str) -> Listing | Reply:
        return _as_obs(super()._list_parts(request, bucket, key), request)


def string_to_sign(request: Request, prefix: str, resource: str) -> str:
    """Return what OBS (prefix x-obs-) and Amazon's version 2 (x-amz-) sign."""
    headers = sorted((name, value) for name, value in request.headers.items() if name.startswith(prefix))
    date = "" if f"{prefix}date" in request.headers else request.headers.get("date", "")
    first = [request.method, request.headers.get("content-md5", ""), request.headers.get("content-type", "")]
    return "\n".join([*first, date, *(f"{name}:{value}" for name, value in headers), resource])


def sign(secret: str, text: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def _as_obs(page: Listing | Reply, request: Request) -> Listing | Reply:
    if isinstance(page, Reply):
        return page
    listing = ObsListing(page.root, page.fields, page.item, page.items, NAMESPACE)
    if request.argument("encoding-type") == "url":
        for fields in (listing.fields, *listing.items):
            fields |= {name: quote_plus(fields[name] or "") for name in _ENCODED if name in fields}
        listing.fields = {"EncodingType": "url"} | listing.fields
    return listing

"""A Google Cloud Storage server of uploads in progress, written from the documentation of its XML API.

Pages and faults are those of the S3 stand-in. Google's own: tokens, projects, who pays, empty markers, and
what refusals look like. https://cloud.google.com/storage/docs/xml-api/overview
"""

from dataclasses import replace

from servers.s3 import EPOCH, S3, Listing, iso
from servers.standin import Reply, Request

TOKEN = "ya29.c.c0ASRK0Ga-a-token-of-a-service-account-2"
PROJECT = "media-123456"
_XML = {"Content-Type": "application/xml; charset=UTF-8"}
"""Without the encoding Google's Java client reads Latin-1."""
_MARKERS = ("key-marker", "upload-id-marker")
_CHARGED = ("x-goog-user-project", "userProject")


def refusal(status: int, code: str, message: str = "No.", details: str = "", **headers: str) -> Reply:
    """Return an error document as Google writes it."""
    fields: dict[str, str | None] = {"Code": code, "Message": message, "Details": details or None}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = Listing("Error", fields, namespace="").xml()
    return Reply(status, {**_XML, **named}, body)


class Gcs(S3):
    """The server's state and its handler: `StandIn(Gcs())`.

    `tokens` are those that it takes, `projects` whose each bucket is (PROJECT unless said here),
    `default_project` that of HMAC keys, `payers` the projects that the caller may have charged, `denied` the
    permissions that it lacks. What is aborted is in `aborted`; nothing can be, unless `aborts`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tokens = {TOKEN}
        self.projects: dict[str, str] = {}
        self.default_project = ""
        self.payers: set[str] = set()
        self.denied: set[str] = set()
        self.aborts = False
        self.aborted: list[tuple[str, str]] = []

    def __call__(self, request: Request) -> Reply:
        if request.method == "DELETE" and self.aborts:
            return self._abort(request)
        reply = super().__call__(request)
        if reply.headers.get("Content-Type") == "application/xml":
            return replace(reply, headers={**reply.headers, **_XML})
        return reply

    def authorize(self, request: Request) -> Reply | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            known = token in self.tokens
            return None if known else refusal(401, "AuthenticationRequired", "Authentication required.")
        if any(name.startswith("x-goog-") for name in request.headers):
            return refusal(
                400, "InvalidArgument", "Invalid argument.", "x-goog- beside a signature of Amazon's"
            )
        if found := super().authorize(request):
            return found if scheme else refusal(403, "AccessDenied", "Access denied.", "Anonymous caller")
        return None

    def _refuse(self, request: Request, name: str) -> Reply | None:
        if name not in self.buckets:
            return refusal(404, "NoSuchBucket", "The specified bucket does not exist.")
        charged = self._charged(request)
        if name in self.requester_pays and not charged:
            text = "Bucket is a requester pays bucket but no user project provided."
            return refusal(400, "UserProjectMissing", text)
        if charged and charged not in self.payers:
            return refusal(403, "UserProjectAccessDenied", "The caller may not use this project.")
        return self._denied(request)

    def _charged(self, request: Request) -> str:
        header, argument = _CHARGED
        return request.headers.get(header, "") or request.argument(argument)

    def _denied(self, request: Request) -> Reply | None:
        needed = _needed(request)
        if needed not in self.denied:
            return None
        who = "exporter@media-123456.iam.gserviceaccount.com"
        details = (
            f"{who} does not have {needed} access to the Google Cloud Storage bucket. "
            f"Permission '{needed}' denied on resource (or it may not exist)."
        )
        return refusal(403, "AccessDenied", "Access denied.", details)

    def _list_uploads(self, request: Request, bucket: str, key: str) -> Listing | Reply:
        if any(request.query.get(name) == [""] for name in _MARKERS):
            return refusal(400, "InvalidArgument", "Invalid argument.", "an empty marker")
        return super()._list_uploads(request, bucket, key)

    def _list_parts(self, request: Request, bucket: str, key: str) -> Listing | Reply:
        page = super()._list_parts(request, bucket, key)
        if isinstance(page, Reply):
            return refusal(404, "NoSuchUpload", "The requested upload was not found.")
        return page

    def _list_buckets(self, request: Request, _bucket: str, _key: str) -> Listing | Reply:
        named = "x-goog-project-id" if "Bearer" in request.headers["authorization"] else "x-amz-project-id"
        project = request.headers.get(named) or self.default_project
        if not project:
            return refusal(400, "InvalidArgument", "Invalid argument.", "no project")
        if denied := self._denied(request):
            return denied
        names = sorted(name for name in self.buckets if self.projects.get(name, PROJECT) == project)
        rest = [name for name in names if name > request.argument("marker")]
        items = [{"Name": name, "CreationDate": iso(EPOCH)} for name in rest[: self.buckets_page]]
        return Listing(
            "ListAllMyBucketsResult",
            {"Owner": "1234"},
            "Bucket",
            [dict(item) for item in items],
            within="Buckets",
        )

    def _lifecycle(self, bucket: str) -> Reply:
        self.rules.setdefault(bucket, "")  # no rules are an empty document
        return super()._lifecycle(bucket)

    def _tagging(self, bucket: str) -> Reply:
        if self.tags.get(bucket):
            return super()._tagging(bucket)
        body = f'<Tagging xmlns="{self.namespace}"><TagSet/></Tagging>'
        return Reply(200, {"Content-Type": "application/xml"}, body.encode())

    def _abort(self, request: Request) -> Reply:
        name, key = self.address(request)
        if found := self.authorize(request) or self._refuse(request, name):
            return found
        upload_id = request.argument("uploadId")
        before = self.buckets[name]
        self.buckets[name] = [each for each in before if (each.key, each.upload_id) != (key, upload_id)]
        if len(self.buckets[name]) == len(before):
            return refusal(404, "NoSuchUpload", "The requested upload was not found.")
        self.aborted.append((key, upload_id))
        return Reply(204)


def _needed(request: Request) -> str:
    """Return the permission that a request needs."""
    names = request.query
    if request.method == "DELETE":
        return "storage.multipartUploads.abort"
    if "uploadId" in names:
        return "storage.multipartUploads.listParts"
    if "uploads" in names:
        return "storage.multipartUploads.list"
    return "storage.buckets.get" if names.keys() & {"lifecycle", "tagging"} else "storage.buckets.list"

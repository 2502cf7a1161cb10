"""What is Google Cloud Storage's own: projects, payers, lifecycle rules, permissions, the abort command."""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from contract.authority import Authority
from contract.rig_gcs import by_hmac, with_token
from contract.rigs import SCAN, Opener, Part, Rig, Upload, failure, ids_of, refused, some_uploads
from docs.documents import GUIDE, blocks
from hostile import MALICIOUS_KEYS
from servers.gcs import PROJECT, TOKEN
from servers.s3 import without_arguments
from servers.standin import Reply, StandIn

from exporter.cli.formats.abort_script import abort_script
from exporter.cli.formats.uploads import UploadReport
from exporter.cli.probe_notes import notes
from exporter.cli.upload_filter import Counts, FoundUpload
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.config.target_sections import DiscoverSettings
from exporter.model.abort import AbortCommand
from exporter.model.errors import Failure, Reason
from exporter.model.results import AbortRules
from exporter.model.uploads import CountedUpload
from exporter.model.uploads import Upload as ListedUpload
from exporter.scheduler.discovery import BucketDiscovery
from exporter.stores.abort_command import abort_commands, command_line
from exporter.stores.base import operations_of
from exporter.stores.engine.store_client import Clocks, StoreClient
from exporter.stores.gcs.permissions import permission
from exporter.stores.gcs.route import bucket_route
from exporter.stores.gcs.token import Token
from exporter.stores.permissions import missing_permission

DAY = 86400.0
MEDIA = BucketSettings("media")
TARGET = TargetSettings("t", StoreKind.GCS, (MEDIA,))
MARKERS = {"key-marker", "upload-id-marker", "part-number-marker"}


@pytest.fixture(params=[with_token, by_hmac])
def open_gcs(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Return what opens a rig with a token, or with an HMAC key."""
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(request.param(**changes))


@pytest.fixture
def gcs() -> Iterator[Rig]:
    """Return a rig with a token."""
    with with_token() as rig:
        yield rig


def sent(rig: Rig, name: str) -> set[str | None]:
    """Return what all requests had in a header."""
    return {request.headers.get(name) for request in rig.standin.requests}


def soon() -> float:
    return time.monotonic() + 10


class TestRequests:
    def test_they_carry_a_token_and_nothing_of_google_s_that_is_not_configured(self, gcs: Rig):
        gcs.fill(some_uploads(1, parts=[Part(1, 5)]))
        [upload] = some_uploads(1)
        gcs.ids()
        gcs.size(upload)
        assert sent(gcs, "authorization") == {f"Bearer {TOKEN}"}
        assert [request.target for request in gcs.standin.requests] == [
            "/media?uploads",
            "/media/key/000?uploadId=u000",
        ]
        extras = [name for each in gcs.standin.requests for name in each.headers if name.startswith("x-")]
        assert extras == []

    def test_no_empty_marker_is_ever_sent(self, open_gcs: Opener):
        rig = open_gcs(scan=replace(SCAN, page_size=2))
        uploads = some_uploads(5, parts=[Part(1, 5), Part(2, 5), Part(3, 5)])
        rig.fill(uploads)
        assert (rig.ids(), rig.size(uploads[0]).bytes) == (ids_of(uploads), 15)
        pairs = [pair for request in rig.standin.requests for pair in request.pairs]
        assert [name for name, value in pairs if name in MARKERS and not value] == []

    def test_a_signature_covers_what_no_proxy_of_google_s_changes(self):
        with by_hmac() as rig:
            rig.ids()
            [request] = rig.standin.requests
        signed = re.search("SignedHeaders=([^,]+)", request.headers["authorization"])
        assert signed is not None
        assert signed[1] == "host;x-amz-content-sha256;x-amz-date"
        assert request.headers["accept-encoding"] == "identity"

    @pytest.mark.parametrize("base", ["https://example.com/private", "https://example.com/private/"])
    def test_the_server_of_the_config_is_asked_below_its_path(self, base: str):
        target = replace(TARGET, endpoint_url=base)
        url, _ = bucket_route(target, "media").request(Token("t"), "a/b c", [("uploadId", "u")], 0.0)
        assert url == "https://example.com/private/media/a/b%20c?uploadId=u"

    def test_a_token_that_the_store_refuses_is_of_reason_credentials(self, gcs: Rig):
        gcs.server.tokens = set()
        error = refused(gcs)
        assert (error.reason, error.status) == (Reason.CREDENTIALS, 401)
        assert "check the target's credentials" in str(error)
        assert gcs.server.given.doubted == [TOKEN]

    def test_a_single_call_is_sent_again_with_another_token(self, gcs: Rig):
        gcs.server.tokens = {"another"}
        given = gcs.server.given
        given.doubt = lambda _: setattr(given, "text", "another")
        assert gcs.store.abort_rules(gcs.bucket, soon()) == AbortRules()
        assert len(gcs.standin.requests) == 2


class TestWhoPays:
    def test_without_a_project_the_error_says_to_name_one(self, open_gcs: Opener):
        rig = open_gcs()
        rig.server.requester_pays = {"media"}
        error = refused(rig)
        assert (error.reason, error.code) == (Reason.ACCESS_DENIED, "UserProjectMissing")
        assert "set user_project" in str(error)
        assert missing_permission(rig.target, "media", "ListMultipartUploads", Failure.of(error)) == ""

    def test_the_project_is_named_with_each_request(self, open_gcs: Opener):
        rig = open_gcs(user_project="billing-1", lifecycle=True)
        rig.server.requester_pays, rig.server.payers = {"media"}, {"billing-1"}
        rig.fill(some_uploads(1, parts=[Part(1, 5)]))
        assert (rig.ids(), rig.size(some_uploads(1)[0]).bytes) == (["u000"], 5)
        assert rig.store.abort_rules(rig.bucket, soon()) == AbortRules()

    def test_one_that_may_not_be_charged_says_which_permission_lacks(self, open_gcs: Opener):
        rig = open_gcs(user_project="billing-1")
        error = refused(rig)
        assert error.reason is Reason.ACCESS_DENIED
        grant = missing_permission(rig.target, "media", "ListMultipartUploads", Failure.of(error))
        assert grant == "serviceusage.services.use on the project billing-1"


class TestDiscovery:
    def test_only_buckets_of_the_project_are_found(self, open_gcs: Opener):
        rig = open_gcs(project="other-1", discover=DiscoverSettings(), buckets=())
        rig.server.buckets = {"a": [], "b": [], "c": []}
        rig.server.projects = {"a": "other-1", "c": "other-1"}
        page = rig.store.list_buckets(None, soon())
        assert ([bucket.name for bucket in page.items], page.truncated) == (["a", "c"], False)

    def test_without_one_the_project_is_that_of_the_credentials(self, gcs: Rig):
        gcs.retarget(project=None)
        gcs.server.given.project = PROJECT
        assert [bucket.name for bucket in gcs.store.list_buckets(None, soon()).items] == ["media"]

    def test_without_any_the_error_says_to_set_it(self, open_gcs: Opener):
        rig = open_gcs(project=None)
        error = failure(rig.store.list_buckets, None, soon())
        text = "ListBuckets: HTTP 400 (InvalidArgument Invalid argument. no project); no project is known"
        assert (error.status, str(error)) == (400, f"{text} whose buckets to list: set project")

    def test_an_hmac_key_has_a_project_of_its_own(self):
        with by_hmac(project=None) as rig:
            rig.server.default_project = PROJECT
            assert [bucket.name for bucket in rig.store.list_buckets(None, soon()).items] == ["media"]

    def test_a_full_page_is_not_taken_for_the_whole_list(self, gcs: Rig):
        gcs.server.buckets = {f"b{number:04}": [] for number in range(1002)}
        first = gcs.store.list_buckets(None, soon())
        assert (len(first.items), first.truncated, first.last_marker) == (1000, True, ("b0999",))
        rest = gcs.store.list_buckets(first.last_marker, soon())
        assert (len(rest.items), rest.truncated) == (2, False)

    def test_where_nothing_leads_on_there_is_no_list(self, gcs: Rig):
        gcs.server.buckets = {f"b{number:04}": [] for number in range(1000)}
        gcs.fault("ListBuckets", request=without_arguments("marker"))
        client = StoreClient(gcs.store, gcs.target.scan, gcs.stop, Clocks())
        discovery = BucketDiscovery(replace(gcs.target, discover=DiscoverSettings()), client)
        error = failure(discovery.find)
        assert (error.reason, "1,000 buckets or more" in str(error)) == (Reason.UNSUPPORTED, True)
        assert str(error).endswith("name them under buckets")


def rule(age: int = 7, action: str = "AbortIncompleteMultipartUpload", more: str = "") -> str:
    condition = f"<Condition><Age>{age}</Age>{more}</Condition>"
    return f"<Rule><Action><{action}/></Action>{condition}</Rule>"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("", AbortRules()),
        (rule(30, "Delete"), AbortRules()),
        (rule(7), AbortRules(7 * DAY)),
        (rule(7) + rule(3) + rule(1, "Delete"), AbortRules(3 * DAY)),
        (rule(5, more="<MatchesPrefix>logs/</MatchesPrefix>"), AbortRules(None, 5 * DAY)),
        (rule(5, more="<MatchesStorageClass>NEARLINE</MatchesStorageClass>"), AbortRules(None, 5 * DAY)),
    ],
)
def test_rules_that_abort_uploads_are_read_in_google_s_grammar(gcs: Rig, rules: str, expected: AbortRules):
    gcs.server.rules["media"] = rules
    assert gcs.store.abort_rules(gcs.bucket, soon()) == expected


def test_labels_are_the_bucket_s_tags(open_gcs: Opener):
    rig = open_gcs()
    assert rig.store.bucket_tags(rig.bucket, soon()) == {}
    rig.server.tags["media"] = {"team": "backup", "env": "prod"}
    assert rig.store.bucket_tags(rig.bucket, soon()) == {"team": "backup", "env": "prod"}


@pytest.mark.parametrize("storage_class", ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"])
def test_an_upload_s_class_is_called_as_google_does(gcs: Rig, storage_class: str):
    gcs.fill(some_uploads(1, storage_class=storage_class, parts=[Part(1, 5)]))
    [upload] = gcs.uploads()
    assert (upload.storage_class, gcs.size(some_uploads(1)[0]).storage_class) == (storage_class,) * 2


@pytest.mark.parametrize(
    ("permission", "operation", "resource"),
    [
        ("storage.multipartUploads.list", "ListMultipartUploads", "projects/_/buckets/media"),
        ("storage.multipartUploads.listParts", "ListParts", "projects/_/buckets/media"),
        ("storage.buckets.get", "GetBucketLifecycleConfiguration", "projects/_/buckets/media"),
        ("storage.buckets.get", "GetBucketTagging", "projects/_/buckets/media"),
        ("storage.buckets.list", "ListBuckets", f"the project {PROJECT}"),
    ],
)
def test_what_is_denied_is_named_as_google_names_it(
    open_gcs: Opener, permission: str, operation: str, resource: str
):
    rig = open_gcs()
    [upload] = some_uploads(1)
    rig.fill([upload])
    rig.server.denied = {permission}
    ask = {
        "ListMultipartUploads": rig.ids,
        "ListParts": lambda: rig.size(upload),
        "GetBucketLifecycleConfiguration": lambda: rig.store.abort_rules(rig.bucket, soon()),
        "GetBucketTagging": lambda: rig.store.bucket_tags(rig.bucket, soon()),
        "ListBuckets": lambda: rig.store.list_buckets(None, soon()),
    }
    error = failure(ask[operation])
    assert (error.reason, f"Permission '{permission}' denied" in str(error)) == (Reason.ACCESS_DENIED, True)
    bucket = "" if operation == "ListBuckets" else "media"
    granted = missing_permission(rig.target, bucket, operation, Failure.of(error))
    assert granted == f"{permission} on {resource}"


def test_the_documented_role_allows_what_is_asked_for_and_no_more():
    section = GUIDE["permissions"].partition("\n## Google Cloud Storage\n")[2].partition("\n## ")[0]
    operations = replace(TARGET, discover=DiscoverSettings(), lifecycle=True, tags=("team",))
    needed = {permission(TARGET, "media", each).split()[0] for each in operations_of(operations)}
    for kind in ("sh", "hcl"):
        assert set(re.findall(r"storage\.\w+\.\w+", "".join(blocks(section, kind)))) == needed


@contextmanager
def shell(rig: Rig, folder: Path, token: str = TOKEN) -> Iterator[dict[str, str]]:
    """Give an environment in which gcloud has a login with this token."""
    gcloud = folder / "gcloud"
    gcloud.write_text(f"#!/bin/sh\n[ \"$*\" = 'auth print-access-token' ] && echo {shlex.quote(token)}\n")
    gcloud.chmod(0o755)
    rig.server.aborts = True
    yield {"PATH": f"{folder}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}


def run(line: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=30, check=False
    )


class TestAbortCommand:
    def test_it_is_a_request_by_curl_with_gcloud_s_token(self):
        command = abort_commands(TARGET, MEDIA, ListedUpload("a/b c", "id/1"), "")
        assert command_line(command) == (
            "sh -c 'token=$(gcloud auth print-access-token) || exit 1; "
            'answer=$(printf "Authorization: Bearer %s" "$token" | '
            "curl --silent --show-error --path-as-is --request DELETE --header @- "
            '--write-out " HTTP %{http_code}" "$@"); '
            '[ "$answer" = " HTTP 204" ] || { printf "%s\\n" "$answer" >&2; exit 1; }'
            "' abort 'https://storage.googleapis.com/media/a/b%20c?uploadId=id%2F1'"
        )

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"endpoint_url": "https://storage.example.com/"}, ()),
            ({"proxy_url": "http://proxy:3128"}, ("--proxy", "http://proxy:3128")),
            ({"proxy_url": "http://user:hush@proxy:3128"}, ()),
        ],
    )
    def test_it_goes_where_the_scan_went(self, settings: dict[str, str], words: tuple[str, ...]):
        target = replace(TARGET, **settings)
        [call] = abort_commands(target, MEDIA, ListedUpload("k", "u"), "").calls
        base = settings.get("endpoint_url", "https://storage.googleapis.com/")
        assert call[4:] == (*words, f"{base}media/k?uploadId=u")

    def test_no_url_holds_bytes_that_are_no_text(self):
        command = abort_commands(TARGET, MEDIA, ListedUpload("k\udcff", "u"), "")
        assert command == AbortCommand(instead=command.instead)
        assert "an abort rule of the bucket removes it" in command.instead

    def test_a_shell_aborts_that_upload_and_no_other(self, gcs: Rig, tmp_path: Path):
        keys = ["plain", "a b/ü%2F", "it's $(touch x)", "q?uploadId=x&a#b", "a/../b", *MALICIOUS_KEYS]
        keys = [key for key in keys if "\0" not in key and key.isprintable()]
        uploads = [Upload(key, f"id-{number}") for number, key in enumerate(keys)]
        gcs.fill([*uploads, *(Upload(key, "other") for key in keys)])
        target = replace(gcs.target, user_project="billing-1")
        gcs.server.payers = {"billing-1"}
        lines = [
            command_line(abort_commands(target, gcs.bucket, ListedUpload(each.key, each.upload_id), ""))
            for each in uploads
        ]
        with shell(gcs, tmp_path) as environment:
            done = run("\n".join(lines), environment)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert gcs.server.aborted == [(each.key, each.upload_id) for each in uploads]
        assert {each.upload_id for each in gcs.server.buckets["media"]} == {"other"}

    def test_it_sends_nothing_without_a_login(self, gcs: Rig, tmp_path: Path):
        line = command_line(abort_commands(gcs.target, gcs.bucket, ListedUpload("k", "u"), ""))
        with shell(gcs, tmp_path) as environment:
            (tmp_path / "gcloud").write_text("#!/bin/sh\necho 'log in first' >&2\nexit 1\n")
            done = run(line, environment)
        assert (done.returncode, done.stderr) == (1, "log in first\n")
        assert gcs.standin.requests == []

    def test_the_script_counts_one_that_is_gone_and_stops_at_a_refusal(self, gcs: Rig, tmp_path: Path):
        gcs.fill([Upload("a", "u1"), Upload("c", "u3")])
        rows = [
            FoundUpload(
                gcs.target, gcs.bucket, CountedUpload(ListedUpload(key, upload_id), None, 1, 5, "STANDARD")
            )
            for key, upload_id in (("a", "u1"), ("b", "u2"), ("c", "u3"))
        ]
        script = abort_script(UploadReport(rows, Counts(matched=3), time.time(), []))
        with shell(gcs, tmp_path) as environment:
            done = run(script, environment)
            again = run(script, environment | {})
            gcs.server.tokens = set()
            stopped = run(script, environment)
        assert done.stdout.splitlines()[-2:] == [
            "Of 3 uploads, aborted: 2, gone already: 1, left to you: 0.",
            "Freed: 10 bytes.",
        ]
        assert "gone already: 3" in again.stdout
        assert (stopped.returncode, "AuthenticationRequired" in stopped.stderr) == (1, True)

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(302, {"Location": "http://127.0.0.1:9/login"}),
            Reply(200, {"Content-Type": "text/html"}, b"<html>Log in</html>"),
            Reply(200),
        ],
        ids=lambda reply: f"{reply.status}, {len(reply.body)} bytes",
    )
    def test_any_answer_but_google_s_own_to_an_abort_stops(self, gcs: Rig, tmp_path: Path, reply: Reply):
        with StandIn(lambda _: reply) as server, shell(gcs, tmp_path) as environment:
            target = replace(gcs.target, endpoint_url=server.url)
            done = run(
                command_line(abort_commands(target, gcs.bucket, ListedUpload("k", "u1"), "")), environment
            )
        shown = f"{reply.body.decode()} HTTP {reply.status}\n"
        assert (done.returncode, done.stdout, done.stderr) == (1, "", shown)

    def test_over_tls_it_trusts_what_the_scan_trusts(self, authority: Authority, tmp_path: Path):
        with with_token(tls=authority.context()) as rig:
            rig.retarget(tls=authority.tls, endpoint_url=rig.standin.url)
            rig.fill([Upload("k", "u1")])
            line = command_line(abort_commands(rig.target, rig.bucket, ListedUpload("k", "u1"), ""))
            with shell(rig, tmp_path) as environment:
                assert run(line, environment).returncode == 0
            assert rig.server.aborted == [("k", "u1")]


@pytest.mark.parametrize("key", ["a b/ü", "100%+1", "q?x&y#z", "a//b/../c", "\U0001f600"])
def test_names_stand_in_the_path_as_they_are_percent_encoded(open_gcs: Opener, key: str):
    rig = open_gcs()
    rig.fill([Upload(key, "i/1", parts=[Part(1, 5)])])
    [upload] = rig.uploads()
    assert rig.size(Upload(upload.key, upload.upload_id)).bytes == 5
    assert rig.standin.requests[-1].target == f"/media/{quote(key)}?uploadId=i%2F1"


def test_a_probe_says_what_google_lists_by_no_call():
    [said] = [note for note in notes(TARGET, MEDIA, ()) if "resumable" in note]
    assert "listed by no call" in said


@pytest.mark.parametrize("changed", [{"access_key_id": "GOOG1EANOTHER"}, {"secret": "another"}])
def test_a_wrong_hmac_key_is_of_reason_credentials(changed: dict[str, str]):
    with by_hmac() as rig:
        rig.server.key = replace(rig.server.key, **changed)
        error = refused(rig)
        assert (error.reason, "check the target's credentials" in str(error)) == (Reason.CREDENTIALS, True)

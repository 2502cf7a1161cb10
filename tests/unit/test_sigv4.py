"""Signatures: as Amazon documents them and as botocore makes them, whatever second, keys and thread."""

import hmac
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from types import CodeType, FrameType

import pytest
from botocore.auth import SIGV4_TIMESTAMP, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.stores.aws import sigv4
from exporter.stores.aws.sigv4 import Signer

KEYS = ReadOnlyCredentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None)
SESSION = ReadOnlyCredentials("ASIASESSION7EXAMPLE", "another/secret", "IQoJb3JpZ2luX2VjEXAMPLE==")
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
BODILESS = ("x-amz-content-sha256", EMPTY)
HOST = "examplebucket.s3.amazonaws.com"
DOCUMENTED = datetime(2013, 5, 24, tzinfo=UTC).timestamp()

words = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/"), min_size=1)
pairs = st.tuples(words, words)
escaped = st.text("abcXYZ019-._~%/", max_size=200)


def signer(*headers: tuple[str, str]) -> Signer:
    return Signer(HOST, "us-east-1", "s3", (BODILESS, *headers))


def fields(lines: list[str]) -> dict[str, str]:
    """Return header values by lower-case name; a name that comes twice is an error."""
    pairs = [line.removesuffix(";").partition(": ") for line in lines]
    values = {name.lower(): value for name, _, value in pairs}
    assert len(values) == len(lines)
    return values


def botocore_signs(
    credentials: ReadOnlyCredentials, url: str, now: float, *scope: str, **headers: str
) -> str:
    """Return the Authorization header that botocore makes for a GET of this URL with these headers."""
    auth = S3SigV4Auth(Credentials(*credentials), *reversed(scope))
    request = AWSRequest("GET", url, {name.replace("_", "-"): value for name, value in headers.items()})
    stamp = datetime.fromtimestamp(now, UTC).strftime(SIGV4_TIMESTAMP)
    request.context["timestamp"] = stamp
    auth._modify_request_before_signing(request)  # noqa: SLF001 - botocore's add_auth signs as of now only
    text = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(text, request))  # noqa: SLF001 - likewise
    return str(request.headers["Authorization"])


def expected(credentials: ReadOnlyCredentials, now: float, **headers: str) -> str:
    return botocore_signs(credentials, f"https://{HOST}/a/b?uploads=", now, "us-east-1", "s3", **headers)


def signed(by: Signer, credentials: ReadOnlyCredentials, now: float) -> str:
    return fields(by.lines(credentials, "/a/b", "uploads=", now))["authorization"]


@contextmanager
def interrupted(at: int, interrupt: Callable[[], None]) -> Iterator[None]:
    """Interrupt the signing within this block before step `at` of the interpreter, as a thread might."""
    steps = count()

    def step(code: CodeType) -> None:
        if code.co_filename == sigv4.__file__ and next(steps) == at:
            interrupt()

    with (monitored if sys.version_info >= (3, 12) else traced)(step):
        yield


@contextmanager
def traced(step: Callable[[CodeType], None]) -> Iterator[None]:
    """Call `step` before each instruction; from Python 3.12 on, code that has run before is not traced so."""

    def trace(frame: FrameType, event: str, _: object) -> object:
        frame.f_trace_opcodes = True
        if event == "opcode":
            step(frame.f_code)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


@contextmanager
def monitored(step: Callable[[CodeType], None]) -> Iterator[None]:
    """Call `step` before each instruction."""
    tool, instruction = 4, sys.monitoring.events.INSTRUCTION
    sys.monitoring.use_tool_id(tool, "steps")
    sys.monitoring.register_callback(tool, instruction, lambda code, _: step(code))
    sys.monitoring.set_events(tool, instruction)
    try:
        yield
    finally:
        sys.monitoring.set_events(tool, 0)
        sys.monitoring.free_tool_id(tool)


class TestAgainstTheDocumentation:
    @pytest.mark.parametrize(
        ("query", "signature"),
        [
            ("lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            ("max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        ],
    )
    def test_its_examples(self, query: str, signature: str):
        credential = "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
        names = "SignedHeaders=host;x-amz-content-sha256;x-amz-date"
        assert signer().lines(KEYS, "/", query, DOCUMENTED) == [
            f"Authorization: AWS4-HMAC-SHA256 {credential}, {names}, Signature={signature}",
            f"Host: {HOST}",
            f"x-amz-content-sha256: {EMPTY}",
            "x-amz-date: 20130524T000000Z",
        ]


class TestAgainstBotocore:
    @pytest.mark.parametrize("credentials", [KEYS, SESSION, KEYS._replace(token="")])
    @pytest.mark.parametrize("value", ["requester", "  two  spaces\tand a tab ", ""])
    def test_headers_are_signed_and_sent(self, credentials: ReadOnlyCredentials, value: str):
        lines = signer(("x-amz-request-payer", value)).lines(credentials, "/a/b", "uploads=", DOCUMENTED)
        sent = fields(lines)
        token = {"x-amz-security-token": credentials.token} if credentials.token else {}
        assert sent == {
            "authorization": expected(credentials, DOCUMENTED, x_amz_request_payer=value),
            "host": HOST,
            "x-amz-content-sha256": EMPTY,
            "x-amz-date": "20130524T000000Z",
            "x-amz-request-payer": " ".join(value.split()),
            **token,
        }

    def test_an_empty_header_is_written_as_libcurl_wants_it(self):
        lines = signer(("x-amz-request-payer", " ")).lines(KEYS, "/", "uploads=", 0)
        assert "x-amz-request-payer;" in lines

    def test_no_value_begins_a_line_of_its_own(self):
        forged = SESSION._replace(token="token\r\nx-amz-acl: public-read")
        lines = signer(("x-amz-request-payer", "a\nb: c")).lines(forged, "/", "uploads=", 0)
        assert [line for line in lines if "\n" in line or "\r" in line] == []

    @settings(deadline=None)
    @given(pairs, pairs, escaped, escaped, st.integers(0, 4_000_000_000))
    def test_any_keys_scope_path_and_query(
        self, keys: tuple[str, str], scope: tuple[str, str], path: str, value: str, now: int
    ):
        credentials = ReadOnlyCredentials(*keys, None)
        made = Signer("[::1]:9000", *scope, [BODILESS])
        lines = made.lines(credentials, f"/{path}", f"prefix={value}&uploads=", now)
        url = f"http://[::1]:9000/{path}?uploads&prefix={value}"
        assert f"Authorization: {botocore_signs(credentials, url, now, *scope)}" == lines[0]

    def test_the_hash_of_the_body_is_the_one_that_is_sent(self):
        unsigned = Signer(HOST, "us-east-1", "s3", [("x-amz-content-sha256", "UNSIGNED-PAYLOAD")])
        assert signed(unsigned, KEYS, 0) != signed(signer(), KEYS, 0)
        assert "x-amz-content-sha256: UNSIGNED-PAYLOAD" in unsigned.lines(KEYS, "/", "", 0)

    def test_without_the_hash_of_the_body_there_is_no_signer(self):
        with pytest.raises(KeyError):
            Signer(HOST, "us-east-1", "s3", [])


class TestWhatIsRemembered:
    @pytest.mark.parametrize(
        "moments",
        [
            (DOCUMENTED, DOCUMENTED + 1),
            (DOCUMENTED - 1, DOCUMENTED),  # midnight: the signing key is the day's
            (DOCUMENTED, DOCUMENTED + 365 * 86400),
            (DOCUMENTED, DOCUMENTED - 900),  # the server's clock turned out to be behind
        ],
    )
    def test_the_next_second_has_its_own_stamp(self, moments: tuple[float, float]):
        one = signer()
        assert [signed(one, KEYS, now) for now in moments] == [expected(KEYS, now) for now in moments]

    def test_fractions_of_a_second_do_not_count(self):
        one = signer()
        assert {signed(one, KEYS, DOCUMENTED + part) for part in (0, 0.5, 0.999)} == {
            expected(KEYS, DOCUMENTED)
        }

    @pytest.mark.parametrize(
        "change",
        [{"access_key": "AKIAOTHER"}, {"secret_key": "other"}, {"token": "other"}, {"token": None}],
    )
    def test_changed_credentials_are_used_at_once(self, change: dict[str, str | None]):
        one, changed = signer(), SESSION._replace(**change)
        assert signed(one, SESSION, DOCUMENTED) == expected(SESSION, DOCUMENTED)
        assert signed(one, changed, DOCUMENTED) == expected(changed, DOCUMENTED)
        token = fields(one.lines(changed, "/", "uploads=", DOCUMENTED)).get("x-amz-security-token")
        assert token == changed.token

    def test_within_a_second_the_signing_key_is_derived_once(self, monkeypatch: pytest.MonkeyPatch):
        costs, digest = [], hmac.digest
        monkeypatch.setattr(hmac, "digest", lambda *given: costs.append(1) or digest(*given))
        one, spent = signer(), []
        for now in (0, 0.5, 0.9, 1):
            costs.clear()
            one.lines(KEYS._replace(), "/", "uploads=", now)
            spent.append(len(costs))
        assert spent == [4, 0, 0, 4]

    def test_nothing_shows_the_keys(self):
        one = signer()
        one.lines(SESSION, "/", "uploads=", DOCUMENTED)
        shown = f"{one!r} {one} {vars(one)}"
        assert [secret for secret in SESSION[:3] if secret in shown] == []


class TestTwoThreads:
    @pytest.mark.parametrize("other", [(KEYS, DOCUMENTED), (SESSION, DOCUMENTED), (KEYS, DOCUMENTED + 86400)])
    @pytest.mark.parametrize("earlier", [0, 1])
    def test_another_signing_may_come_at_every_step(
        self, other: tuple[ReadOnlyCredentials, float], earlier: int
    ):
        for step in count():
            one, others = signer(), []
            for _ in range(earlier):
                signed(one, KEYS, DOCUMENTED)
            with interrupted(step, lambda one=one, others=others: others.append(signed(one, *other))):
                mine = signed(one, KEYS, DOCUMENTED)
            if not others:
                break
            assert (mine, *others) == (expected(KEYS, DOCUMENTED), expected(*other))
        assert step > 50

    @pytest.fixture(autouse=True)
    def _switch_often(self) -> Iterator[None]:
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield
        sys.setswitchinterval(interval)

    def test_each_gets_what_it_asked_for(self):
        one, times = signer(), range(300)
        wanted = {keys: [signed(signer(), keys, now) for now in times] for keys in (KEYS, SESSION)}
        with ThreadPoolExecutor(2) as threads:
            jobs = {
                keys: threads.submit(lambda keys=keys: [signed(one, keys, now) for now in times])
                for keys in wanted
            }
        assert {keys: job.result() for keys, job in jobs.items()} == wanted

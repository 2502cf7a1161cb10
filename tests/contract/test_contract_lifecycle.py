"""The lifecycle rules that abort uploads, as every store tells them."""

import time
from dataclasses import replace

import pytest
from contract.rigs import LIFECYCLE, SCAN, Opener, Rig, failure
from servers.standin import Reply

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason
from exporter.model.results import AbortRules

DAY = 86400.0
NONE = AbortRules()


def rule(days: object = 7, status: str = "Enabled", where: str = "<Filter/>", more: str = "") -> str:
    action = "AbortIncompleteMultipartUpload"
    abort = f"<{action}><DaysAfterInitiation>{days}</DaysAfterInitiation></{action}>"
    return f"<Rule><ID>r</ID>{where}<Status>{status}</Status>{more}{abort}</Rule>"


def prefix(text: str, inside: str = "Filter") -> str:
    return f"<Filter><Prefix>{text}</Prefix></Filter>" if inside else f"<Prefix>{text}</Prefix>"


TAG = "<Tag><Key>k</Key><Value>v</Value></Tag>"
EXPIRING = "<Rule><ID>e</ID><Prefix/><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>"


def rules_of(rig: Rig, *texts: str, watched: str | None = None) -> AbortRules:
    rig.server.rules[rig.bucket.name] = "".join(texts)
    return rig.store.abort_rules(replace(rig.bucket, prefix=watched), time.monotonic() + 10)


def test_a_bucket_without_rules_has_none_and_nothing_failed(xml_rig: Rig):
    assert xml_rig.store.abort_rules(xml_rig.bucket, time.monotonic() + 10) == NONE
    assert xml_rig.traffic.requests == {LIFECYCLE: 1}
    assert xml_rig.traffic.failures == {}


@pytest.mark.parametrize(
    "where",
    ["", "<Filter/>", "<Prefix/>", prefix(""), prefix("", ""), "<Filter><And><Prefix/></And></Filter>"],
)
def test_a_rule_for_all_keys_is_the_bucket_s(xml_rig: Rig, where: str):
    assert rules_of(xml_rig, rule(7, where=where)) == AbortRules(7 * DAY, None)


@pytest.mark.parametrize(
    "where",
    [
        *(prefix("logs/"), prefix("logs/", ""), "<Filter><And><Prefix>logs/</Prefix></And></Filter>"),
        *(f"<Filter>{TAG}</Filter>", f"<Filter><And><Prefix/>{TAG}</And></Filter>"),
        "<Filter><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>",
    ],
)
def test_a_rule_for_some_is_a_prefix_s(xml_rig: Rig, where: str):
    assert rules_of(xml_rig, rule(3, where=where)) == AbortRules(None, 3 * DAY)


def test_the_shortest_of_each_kind_counts(xml_rig: Rig):
    given = [rule(9), rule(7), rule(8), rule(2, where=prefix("a/")), rule(1, where=prefix("b/"))]
    assert rules_of(xml_rig, *given) == AbortRules(7 * DAY, 1 * DAY)


def test_what_is_disabled_or_does_something_else_is_left_out(xml_rig: Rig):
    assert rules_of(xml_rig, rule(status="Disabled"), EXPIRING) == NONE
    assert rules_of(xml_rig, rule("soon", status="Disabled"), rule(5, more="<Expiration/>")) == AbortRules(
        5 * DAY
    )


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (prefix("db/"), AbortRules(bucket=7 * DAY)),
        (prefix("d"), AbortRules(bucket=7 * DAY)),
        (prefix("db/old/"), AbortRules(prefix=7 * DAY)),
        (prefix("logs/"), NONE),
        (f"<Filter><And><Prefix>d</Prefix>{TAG}</And></Filter>", AbortRules(prefix=7 * DAY)),
        (f"<Filter><And><Prefix>x</Prefix>{TAG}</And></Filter>", NONE),
    ],
)
def test_where_a_prefix_is_watched_that_is_what_has_to_be_covered(
    xml_rig: Rig, where: str, expected: AbortRules
):
    assert rules_of(xml_rig, rule(where=where), watched="db/") == expected


@pytest.mark.parametrize(
    "text", [rule("soon"), rule(""), rule("-1"), rule("9" * 10), rule(status="Perhaps"), rule(status="")]
)
def test_rules_that_cannot_be_read_are_not_known(xml_rig: Rig, text: str):
    error = failure(rules_of, xml_rig, rule(7), text)
    assert error.reason == Reason.BAD_RESPONSE
    assert xml_rig.traffic.failures == {(LIFECYCLE, Reason.BAD_RESPONSE): 1}


def by_action(action: str = "<AbortIncompleteMultipartUpload/>", condition: str = "<Age>7</Age>") -> str:
    """Return a rule as Google writes it."""
    return f"<Rule><Action>{action}</Action><Condition>{condition}</Condition></Rule>"


def enabled(action: str) -> str:
    return f"<Rule><ID>r</ID><Prefix>logs/</Prefix><Status>Enabled</Status>{action}</Rule>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (by_action(), AbortRules(bucket=7 * DAY)),
        (by_action(condition="<Age>1</Age><MatchesPrefix>a/</MatchesPrefix>"), AbortRules(prefix=DAY)),
        (by_action(condition="<Age>1</Age><MatchesSuffix>.gz</MatchesSuffix>"), AbortRules(prefix=DAY)),
        (
            by_action(condition="<MatchesPrefix>a/</MatchesPrefix><MatchesPrefix/><Age>2</Age>"),
            AbortRules(bucket=2 * DAY),
        ),
        (
            by_action(
                condition="<MatchesPrefix><Prefix>a</Prefix><Prefix>b</Prefix></MatchesPrefix><Age>2</Age>"
            ),
            AbortRules(prefix=2 * DAY),
        ),
        (by_action(action="<Delete/>"), NONE),
        (by_action(action="<SetStorageClass>COLDLINE</SetStorageClass>"), NONE),
        (enabled("<AbortMultipartUpload><Days>3</Days></AbortMultipartUpload>"), AbortRules(prefix=3 * DAY)),
        (
            f"<Rule>{TAG}<Status>Enabled</Status><AbortMultipartUpload><Days>3</Days></AbortMultipartUpload></Rule>",
            AbortRules(prefix=3 * DAY),
        ),
    ],
)
def test_other_grammars_are_read(xml_rig: Rig, text: str, expected: AbortRules):
    assert rules_of(xml_rig, text) == expected


UNKNOWN = [
    enabled("<AbortUnfinishedUploads><Days>3</Days></AbortUnfinishedUploads>"),
    enabled("<Cleanup><IncompleteUploads>3</IncompleteUploads></Cleanup>"),
    enabled("<Action>AbortMultipartUpload</Action>"),
    by_action(action="<Type>AbortIncompleteMultipartUpload</Type>"),
    "<Policy><AbortIncompleteMultipartUpload/></Policy>",
    "<AbortMultipartUpload><Days>3</Days></AbortMultipartUpload>",
]


@pytest.mark.parametrize("text", UNKNOWN)
def test_what_may_abort_in_a_form_that_is_not_known_is_not_no_rule(xml_rig: Rig, text: str):
    error = failure(rules_of, xml_rig, rule(7), text)
    assert error.reason == Reason.UNSUPPORTED
    assert "a rule may abort uploads in a form that is not known" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        by_action(condition=""),
        by_action(condition="<CreatedBefore>2026-01-01</CreatedBefore>"),
        "<Rule><Action><AbortIncompleteMultipartUpload/></Action></Rule>",
        by_action().replace("</Rule>", "<Condition><Age>9</Age></Condition></Rule>"),
        by_action().replace("</Rule>", "<Status>Perhaps</Status></Rule>"),
        enabled("<AbortMultipartUpload><CreatedBeforeDate>x</CreatedBeforeDate></AbortMultipartUpload>"),
        enabled("<AbortIncompleteMultipartUpload><Date>x</Date></AbortIncompleteMultipartUpload>"),
    ],
)
def test_a_rule_whose_age_or_status_is_not_certain_is_not_no_rule(xml_rig: Rig, text: str):
    assert failure(rules_of, xml_rig, text).reason == Reason.BAD_RESPONSE


def test_words_of_people_are_no_actions(xml_rig: Rig):
    named = EXPIRING.replace("<ID>e</ID>", "<ID>abort incomplete multipart uploads</ID>")
    named = named.replace("<Prefix/>", "<Filter><Prefix>uploads/</Prefix></Filter>")
    disabled = UNKNOWN[0].replace("Enabled", "Disabled")
    assert rules_of(xml_rig, named, disabled) == NONE


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>log in</html>", b"<LifecycleConfiguration>", b"<ListPartsResult/>"),
        *(b"<!DOCTYPE a><LifecycleConfiguration/>", b"<Error><Code>InternalError</Code></Error>"),
    ],
)
def test_an_answer_that_is_none_is_refused(xml_rig: Rig, body: bytes):
    xml_rig.answer(LIFECYCLE, Reply(200, body=body))
    assert failure(rules_of, xml_rig, rule(7)).reason == Reason.BAD_RESPONSE


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, "AccessDenied", Reason.ACCESS_DENIED),
        (405, "MethodNotAllowed", Reason.UNSUPPORTED),
        (501, "NotImplemented", Reason.UNSUPPORTED),
        (404, "NoSuchBucket", Reason.NOT_FOUND),
        (404, "", Reason.BAD_RESPONSE),
        (503, "SlowDown", Reason.THROTTLED),
    ],
)
def test_a_refusal_has_its_reason(xml_rig: Rig, status: int, code: str, reason: Reason):
    xml_rig.answer(LIFECYCLE, xml_rig.refusal(status, code))
    assert failure(rules_of, xml_rig).reason == reason
    assert xml_rig.traffic.failures == {(LIFECYCLE, reason): 1}


def test_it_has_a_deadline(xml_rig: Rig):
    xml_rig.answer(LIFECYCLE, Reply(hang=True))
    error = failure(xml_rig.store.abort_rules, xml_rig.bucket, time.monotonic() + 0.3)
    assert (error.reason, error.retryable) == (Reason.TIMEOUT, True)


def test_a_bucket_elsewhere_is_followed(open_engine: Opener):
    rig = open_engine(region="us-east-1", lifecycle=True)
    rig.server.regions[rig.bucket.name] = "eu-west-1"
    assert rules_of(rig, rule(7)) == AbortRules(7 * DAY)


def test_the_call_is_named_only_where_it_is_made(open_engine: Opener):
    assert LIFECYCLE not in open_engine().store.operations
    assert LIFECYCLE in open_engine(lifecycle=True).store.operations


def test_vaults_have_no_rules(vault: Rig):
    error = failure(vault.store.abort_rules, BucketSettings("tapes"), time.monotonic() + 10)
    assert (error.reason, vault.traffic.requests) == (Reason.UNSUPPORTED, {})
    assert LIFECYCLE not in vault.store.operations


def test_every_setting_of_the_call_is_sent(open_engine: Opener):
    rig = open_engine(expected_bucket_owner="123456789012", request_payer="requester", scan=SCAN)
    rules_of(rig, rule(7))
    headers = rig.standin.requests[-1].headers
    assert headers["x-amz-expected-bucket-owner"] == "123456789012"
    assert "x-amz-request-payer" not in headers

"""What lifecycle rules come to, against an oracle that asks of each of a few keys which rules abort it."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from exporter.model.results import AbortRules
from exporter.stores.parsing.lifecycle import read_rules
from exporter.stores.transport.response import Response

PREFIXES = ("", "a/", "a/b/", "c/")
KEYS = ("a/b/k", "a/k", "c/k", "k")
"""One under each of the prefixes that are told apart."""


@dataclass(frozen=True)
class Rule:
    days: int
    prefix: str
    enabled: bool
    aborts: bool
    tagged: bool
    old_style: bool

    @property
    def counts(self) -> bool:
        return self.enabled and self.aborts

    def xml(self) -> str:
        prefix = f"<Prefix>{self.prefix}</Prefix>"
        where = f"<Filter><And>{prefix}<Tag/></And></Filter>" if self.tagged else f"<Filter>{prefix}</Filter>"
        if self.old_style and not self.tagged:
            where = prefix
        days = f"<DaysAfterInitiation>{self.days}</DaysAfterInitiation>"
        action = "AbortIncompleteMultipartUpload" if self.aborts else "Expiration"
        status = "Enabled" if self.enabled else "Disabled"
        return f"<Rule>{where}<Status>{status}</Status><{action}>{days}</{action}></Rule>"


_rules = st.builds(Rule, st.integers(1, 9), st.sampled_from(PREFIXES), *[st.booleans() for _ in range(4)])


@given(st.lists(_rules, max_size=6), st.sampled_from([None, *PREFIXES]))
def test_rules_come_to_what_they_do_to_keys(rules: list[Rule], watched: str | None):
    root = "LifecycleConfiguration"
    body = f"<{root} xmlns='urn:s'>{''.join(rule.xml() for rule in rules)}</{root}>"
    keys = {key for key in KEYS if key.startswith(watched or "")}
    days: dict[bool, list[int]] = {True: [], False: []}
    for rule in rules:
        covered = {key for key in keys if key.startswith(rule.prefix)}
        if rule.counts and covered:
            days[covered == keys and not rule.tagged].append(rule.days)
    expected = [min(found) * 86400.0 if found else None for found in (days[True], days[False])]
    assert read_rules(Response(200, {}, body.encode()), watched) == AbortRules(*expected)

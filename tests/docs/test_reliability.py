"""docs/reliability.md: each wrong number has a rule that the page states, and a test that exists."""

from __future__ import annotations

import re

from docs.documents import GUIDE, ROOT, table

PAGE = GUIDE["reliability"]
HEADS = (
    ("found on", "what the server does", "shown, and right", "rule", "held by"),
    ("found on", "what happens", "what an SDK makes of it", "rule", "held by"),
)
ROWS = [row for head in HEADS for row in table(PAGE, *head)]


def test_each_wrong_number_has_a_test_that_exists():
    missing = []
    for row in ROWS:
        path, _, name = row[-1].strip("`").partition("::")
        file = ROOT / path
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        if not re.search(rf"^ *def {re.escape(name)}\(", text, re.MULTILINE):
            missing.append(row[-1])
    assert missing == []


def test_each_wrong_number_has_a_rule_that_the_page_states():
    stated = {row[0].partition(",")[0] for row in table(PAGE, "rule", "what it says")}
    assert {rule for row in ROWS for rule in row[-2].split(", ")} - stated == set()


def test_what_repeats_a_campaign_exists():
    paths = re.findall(r"`(tests/[\w/.]+)", " ".join(cells_of_campaigns()))
    assert [path for path in paths if not (ROOT / path).exists()] == []


def cells_of_campaigns() -> list[str]:
    return [row[-1] for row in table(PAGE, "campaign", "tried", "outcome", "repeated by")]

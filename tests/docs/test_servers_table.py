"""The table of servers in docs/stores.md is that of the matrix. `REWRITE_EXPECTED=1` writes it."""

import os

import pytest
from docs.documents import ROOT
from servers import need_package

START, END = "<!-- generated: servers -->\n", "<!-- end -->\n"
FILE = ROOT / "docs/stores.md"


@pytest.mark.server
def test_the_table_is_that_of_the_declarations():
    need_package("mypy_boto3_s3")
    text = FILE.read_text(encoding="utf-8")
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    expected = before + start + need_package("servers.matrix.table").table() + end + after
    if os.environ.get("REWRITE_EXPECTED"):
        FILE.write_text(expected, encoding="utf-8")
    assert expected == FILE.read_text(encoding="utf-8")

"""The groups of a bucket's uploads, against a plain count of all of them."""

from __future__ import annotations

import tracemalloc
from collections import defaultdict
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.target_sections import TopSettings
from exporter.model.results import Group
from exporter.model.uploads import CountedUpload, Upload
from exporter.scan import groups as module
from exporter.scan.groups import Groups
from exporter.text.labels import label_value


@dataclass
class Bucket:
    """What a scan finds, and what is asked of it."""

    limit: int = 3
    depth: int = 1
    uploads: int = 0

    def __post_init__(self) -> None:
        self.groups = Groups(TopSettings(("prefix", "initiator"), self.depth, self.limit))

    def add(self, key: str, size: int | None = 10, initiator: str = "") -> None:
        self.uploads += 1
        upload = Upload(key, f"id-{self.uploads}", initiator=initiator)
        self.groups.add(CountedUpload(upload, None, None if size is None else 1, size, "STANDARD"))

    def largest(self, by: str = "prefix", *, sizes_known: bool = True) -> tuple[Group, ...] | None:
        return self.groups.largest(by, self.uploads, sizes_known=sizes_known)


def names(bucket: Bucket, by: str = "prefix") -> list[str]:
    return [group.name for group in bucket.largest(by) or ()]


def name_of(key: str, depth: int = 1) -> str:
    bucket = Bucket(depth=depth)
    bucket.add(key)
    return names(bucket)[0]


def initiator_of(text: str) -> str:
    bucket = Bucket()
    bucket.add("k", initiator=text)
    return names(bucket, "initiator")[0]


class TestPrefixes:
    @pytest.mark.parametrize(
        ("key", "depth", "prefix"),
        [
            *(("a/b/c", 1, "a/"), ("a/b/c", 2, "a/b/"), ("a/b/c", 3, "a/b/"), ("a/b/c/", 3, "a/b/c/")),
            *(("a//c", 2, "a//"), ("/a", 1, "/"), ("a", 1, ""), ("a", 5, ""), ("a/", 1, "a/")),
        ],
    )
    def test_they_are_the_folders_a_key_begins_with(self, key: str, depth: int, prefix: str):
        assert name_of(key, depth) == prefix

    def test_a_key_in_no_folder_is_among_the_others(self):
        bucket = Bucket()
        bucket.add("file")
        bucket.add("a/file", 7)
        assert bucket.largest() == (Group("a/", 1, 7), Group("", 1, 10))


class TestInitiators:
    @pytest.mark.parametrize(
        ("initiator", "shown"),
        [
            ("arn:aws:iam::123456789012:user/path/backup", "arn:aws:iam::123456789012:user/path/backup"),
            (
                "arn:aws:sts::123456789012:assumed-role/backup/i-0123",
                "arn:aws:sts::123456789012:assumed-role/backup",
            ),
            ("arn:aws-cn:sts::1:assumed-role/a/b\nc", "arn:aws-cn:sts::1:assumed-role/a"),
            ("arn:aws:sts::1:federated-user/bob", "arn:aws:sts::1:federated-user/bob"),
            ("domainID/d1:userID/u1", "domainID/d1:userID/u1"),
            ("", ""),
        ],
    )
    def test_sessions_of_a_role_are_one(self, initiator: str, shown: str):
        assert initiator_of(initiator) == shown

    def test_uploads_of_nobody_known_are_among_the_others(self):
        bucket = Bucket()
        bucket.add("k", 4)
        assert bucket.largest("initiator") == (Group("", 1, 4),)


class TestOrder:
    def test_the_largest_come_first_by_bytes_then_uploads_then_name(self):
        bucket = Bucket(limit=4)
        for key, size in (("d/", 5), ("c/", 9), ("b/", 2), ("b/", 3), ("a/", 5), ("e/", 1), ("f/", 1)):
            bucket.add(key, size)
        assert names(bucket) == ["c/", "b/", "a/", "d/", ""]
        assert bucket.largest()[-1] == Group("", 2, 2)

    def test_where_no_bytes_are_known_by_uploads(self):
        bucket = Bucket(limit=1)
        for key in ("a/", "b/", "b/"):
            bucket.add(key, None)
        assert bucket.largest(sizes_known=False) == (Group("b/", 2, None), Group("", 1, None))

    def test_bytes_of_a_group_are_those_that_are_known(self):
        bucket = Bucket()
        for key, size in (("a/", 5), ("a/", None), ("b/", None)):
            bucket.add(key, size)
        assert bucket.largest() == (Group("a/", 2, 5), Group("b/", 1, None), Group("", 0, 0))

    def test_uploads_that_were_counted_elsewhere_are_among_the_others(self):
        bucket = Bucket()
        bucket.add("a/")
        bucket.uploads += 3
        assert bucket.largest() == (Group("a/", 1, 10), Group("", 3, None))

    def test_an_upload_that_the_store_denies_is_in_no_group(self):
        bucket = Bucket()
        bucket.add("a/1")
        bucket.groups.add(CountedUpload(Upload("a/2", "id"), None, None, None, "STANDARD", denied=True))
        assert bucket.largest() == (Group("a/", 1, 10), Group("", 0, 0))

    def test_a_bucket_without_uploads_has_no_others(self):
        assert Bucket().largest() == (Group("", 0, 0),)

    def test_what_nobody_asked_for_is_none(self):
        groups = Groups(TopSettings(("initiator",)))
        assert groups.largest("prefix", 0, sizes_known=True) is None


def test_what_is_asked_for_twice_is_counted_once():
    groups = Groups(TopSettings(("prefix", "prefix")))
    groups.add(CountedUpload(Upload("a/k", "id"), None, 1, 10, "STANDARD"))
    assert groups.largest("prefix", 1, sizes_known=True) == (Group("a/", 1, 10), Group("", 0, 0))


class TestNames:
    """Written as labels are: see test_labels.py."""

    @pytest.mark.parametrize(("one", "other"), [("a\n", "a\\n"), ("\x85", "\udc85"), ("x" * 100, "x" * 101)])
    def test_two_names_are_two_groups(self, one: str, other: str):
        bucket = Bucket()
        for name in (one, other):
            bucket.add(f"{name}/k", initiator=name)
        for by, end in (("prefix", "/"), ("initiator", "")):
            assert [group.uploads for group in bucket.largest(by)] == [1, 1, 0]
            assert {"", label_value(one + end), label_value(other + end)} == set(names(bucket, by))


class TestTooMany:
    def test_none_is_shown_of_a_family_with_too_many(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(module, "MAX_GROUPS", 10)
        bucket = Bucket()
        for number in range(10):
            bucket.add(f"{number}/", initiator="one")
        assert bucket.largest() is not None
        assert bucket.groups.overflowed == []
        bucket.add("10/", initiator="one")
        bucket.add("0/", initiator="one")
        assert bucket.largest() is None
        assert bucket.groups.overflowed == ["prefix"]
        assert bucket.largest("initiator") == (Group("one", 12, 120), Group("", 0, 0))


@pytest.mark.slow
def test_memory_is_bounded_however_many_groups_there_are():
    bucket = Bucket()
    tracemalloc.start()
    try:
        for number in range(3 * module.MAX_GROUPS):
            bucket.add(f"{number:0500}/k", initiator=f"{number:0500}")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (bucket.largest(), bucket.largest("initiator")) == (None, None)
    assert peak < 10 * 2**20


_keys = st.lists(st.sampled_from(["a", "b", "", "c\n"]), max_size=4).map("/".join)
_found = st.tuples(_keys, st.none() | st.integers(0, 5), st.sampled_from(["", "x", "y", "z"]))


@given(st.lists(_found, max_size=40), st.integers(1, 4), st.integers(1, 3))
def test_groups_say_what_a_plain_count_says(found: list, limit: int, depth: int):
    bucket = Bucket(limit, depth)
    counts: dict[str, list[int | None]] = defaultdict(list)
    for key, size, initiator in found:
        bucket.add(key, size, initiator)
        cut = "/".join(key.split("/")[:-1][:depth])
        counts[f"{cut}/".replace("\n", "\\n") if "/" in key else ""].append(size)
    sums = {name: (sum(size or 0 for size in sizes), len(sizes)) for name, sizes in counts.items()}
    order = sorted((name for name in sums if name), key=lambda name: (-sums[name][0], -sums[name][1], name))
    rest = [size for name in [*order[limit:], ""] for size in counts.get(name, [])]
    shown = [(name, counts[name]) for name in order[:limit]] + [("", rest)]
    assert bucket.largest() == tuple(Group(name, len(sizes), _known_sum(sizes)) for name, sizes in shown)


def _known_sum(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if known or not sizes else None

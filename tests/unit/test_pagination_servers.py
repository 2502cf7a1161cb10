"""Listings of servers that mark their pages in any way: exact, or an error; never short in silence."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from unit.listing_server import KEYS, MARKERS, PAIRS, ListingServer

from exporter.config.settings import BucketSettings
from exporter.model.errors import StoreError
from exporter.model.uploads import Upload
from exporter.stores.pagination.listing import RestartError, list_next_page, uploads_paginator

BUCKET = BucketSettings("b")


@dataclass
class Listed:
    """What a listing came to: the ids in their order, whether by key, and how many requests it took."""

    ids: list[str] = field(default_factory=list)
    by_key: bool = False
    requests: int = 0


def listed(server: ListingServer, *, by_key: bool = False) -> Listed:
    """List the bucket as a scan does. Raises StoreError, and RestartError at the third time."""
    for restarts_left in (2, 1, 0):
        paginator, ids = uploads_paginator(by_key=by_key), list[str]()
        try:
            while not paginator.done:
                ids += [each.upload_id for each in server.run(list_next_page(paginator, BUCKET))]
        except RestartError:
            if not restarts_left:
                raise
        else:
            return Listed(ids, paginator.by_key, len(server.asked))
    raise AssertionError


def uploads(*keys: str) -> list[Upload]:
    """Return an upload of each key, its id by its place: k0, k1."""
    return [Upload(key, f"{number:02}") for number, key in enumerate(keys)]


def all_ids(server: ListingServer) -> list[str]:
    return sorted(each.upload_id for each in server.uploads)


servers = st.builds(
    ListingServer,
    st.lists(st.sampled_from(["a", "a/b", "b", "c", "d"]), max_size=9).map(
        lambda keys: uploads(*sorted(keys))
    ),
    page_size=st.integers(1, 4),
    page_size_by_name=st.sampled_from([2, 1000]),
    markers=st.sampled_from(MARKERS),
    pairs=st.sampled_from(PAIRS),
    keys=st.sampled_from(KEYS),
    sloppy=st.booleans(),
    unsaid=st.booleans(),
    ending=st.dictionaries(
        st.integers(1, 6), st.sets(st.sampled_from("0123456789").map("0{}".format)), max_size=3
    ),
)


def loses_without_a_sign(server: ListingServer) -> bool:
    """Whether a server loses uploads with nothing to see.

    Its key alone is strict, and it takes its pairs for that, or answers an empty page to those of an upload
    that ended: where the uploads left are of that very key, nothing shows them.
    """
    loses = server.pairs == "as key" or (server.pairs == "lost once ended" and server.ending)
    return bool(loses) and server.keys == "after"


@pytest.mark.slow
@pytest.mark.no_cover
@settings(deadline=None, max_examples=1500)
@given(servers)
def test_a_listing_is_exact_or_fails(server: ListingServer):
    assume(not loses_without_a_sign(server))
    before = all_ids(server)
    try:
        found = listed(server)
    except (StoreError, RestartError):
        return
    assert sorted(set(found.ids)) == sorted(found.ids)
    assert set(all_ids(server)) <= set(found.ids) <= set(before)


@pytest.mark.slow
@pytest.mark.no_cover
@settings(deadline=None, max_examples=300)
@given(servers)
def test_a_listing_by_key_is_exact_or_fails_whatever_pairs_mean(server: ListingServer):
    assume(server.markers in {"pair", "none"})
    server.pairs, server.page_size_by_name, server.ending = "as key", 1000, {}
    try:
        found = listed(server, by_key=True)
    except (StoreError, RestartError):
        assert server.keys != "after"
    else:
        assert found.ids == list(dict.fromkeys(found.ids))
        assert all_ids(server) == sorted(found.ids)


def bucket(count: int, of_one_key: int) -> list[Upload]:
    """Return uploads, each so many of one key."""
    return [Upload(f"key/{n // of_one_key:05}", f"{n:05}") for n in range(count)]


class TestRequests:
    """What listings of plain servers cost, and those of odd ones."""

    @pytest.mark.parametrize(
        ("count", "sloppy", "requests"),
        [(0, False, 1), (1, False, 1), (3000, False, 3), (3001, False, 4), (2999, True, 3), (3000, True, 5)],
    )
    @pytest.mark.parametrize("markers", ["pair", "key and pair", "none", "id"])
    @pytest.mark.parametrize("of_one_key", [1, 30])
    def test_one_a_page_and_one_more_where_the_last_page_is_empty(
        self, count: int, requests: int, markers: str, of_one_key: int, *, sloppy: bool
    ):
        server = ListingServer(bucket(count, of_one_key), 1000, markers=markers, sloppy=sloppy)
        found = listed(server)
        assert (found.requests, len(found.ids)) == (requests, count)

    def test_two_a_page_by_key_as_versitygw_is_listed(self):
        server = ListingServer(bucket(3050, 7), 1000, pairs="refused")
        found = listed(server, by_key=True)
        assert (found.requests, found.by_key, sorted(found.ids)) == (7, True, all_ids(server))

    def test_one_refusal_where_that_is_not_known_yet(self):
        server = ListingServer(bucket(3050, 7), 1000, pairs="refused")
        found = listed(server)
        assert (found.requests, found.by_key, sorted(found.ids)) == (8, True, all_ids(server))

    def test_the_way_past_an_ended_upload_may_lead_over_markers_that_were_taken_before(self):
        ended = {2: {"00001"}}
        server = ListingServer(bucket(3, 3), 1, pairs="refused once ended", keys="from", ending=ended)
        assert listed(server).ids == ["00000", "00001", "00002"]

    def test_two_more_for_each_upload_that_a_marker_names_and_that_ended(self):
        server = ListingServer(bucket(10, 1), 2, pairs="refused once ended", ending={1: {"00001"}})
        found = listed(server)
        assert (found.requests, found.by_key, len(found.ids)) == (7, False, 10)

"""Listings of servers that mark their pages in any way: exact, or an error; never short in silence."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from unit.listing_server import KEYS, MARKERS, PAIRS, ListingServer

from exporter.config.settings import BucketSettings
from exporter.model.errors import StoreError
from exporter.model.uploads import Upload
from exporter.stores.pagination import RestartError, list_next_page, uploads_paginator

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

    Its pairs are lost with their uploads, and its key alone is strict: where the uploads left are of that
    very key, both answer an empty page.
    """
    return server.pairs == "lost once ended" and server.keys == "after" and bool(server.ending)


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

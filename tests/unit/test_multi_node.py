"""The calls of a union: every node gets on with its own, and gives back what it held."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
from fakes import BUCKET, GONE, Clock, error, upload

from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Upload
from exporter.stores.base import S3_OPERATIONS, ListingStart, Page, PageRequest, pieces_of
from exporter.stores.multi_node import MultiNodeSession, MultiNodeStore, Node
from exporter.stores.pagination.listing import KeyListing, list_by_key, list_next_page, uploads_paginator

LISTING = PageRequest(BUCKET, None, None)


class BucketSession:
    """A node's calls: `ready` says how often it has an answer; each is a page without uploads."""

    listing_start = ListingStart.ANY_KEY

    def __init__(self, clock, ready=0, page=Page((), truncated=True)):  # noqa: B008 - it never changes
        self.clock = clock
        self.ready = ready
        self.page = page
        self.labels = []
        self.turns = 0
        self.closed = 0

    def start(self, request, deadline, label):
        self.labels.append(label)

    def completed(self, timeout):
        self.turns += 1
        if self.turns > self.ready:
            self.clock.now += timeout
            return []
        return [(self.labels[0], self.page)]

    def close(self):
        self.closed += 1


class Store:
    operations = ()
    page_operations = S3_OPERATIONS
    has_part_times = True
    has_initiation_times = True
    lists_by_key = False
    encodes_keys = False

    def __init__(self, opened):
        self.opened = opened
        self.closed = 0

    def open(self, bucket, deadline):
        return self.opened()

    def close(self):
        self.closed += 1


def union(clock, *nodes):
    made = MultiNodeSession([Node(f"node-{n}", None) for n in range(len(nodes))], nodes, clock.monotonic)
    for number in range(len(nodes)):
        marker = (str(number),) if number else None
        for label in range(10):
            made.start(LISTING._replace(marker=marker), 60.0, label)
    return made


def test_a_node_that_always_has_answers_keeps_no_other_from_getting_on():
    clock = Clock()
    first, second = BucketSession(clock, ready=5), BucketSession(clock)
    made = union(clock, first, second)
    for _ in range(5):
        assert len(made.completed(1.0)) == 1
    assert second.turns == 5
    assert clock.now == 0.0


def test_nodes_wait_in_turns_and_no_longer_than_they_may():
    clock = Clock()
    nodes = BucketSession(clock), BucketSession(clock)
    assert union(clock, *nodes).completed(1.0) == []
    assert clock.now == pytest.approx(1.0, abs=0.05)
    assert min(node.turns for node in nodes) > 10


def test_one_node_waits_in_one_go():
    clock = Clock()
    node = BucketSession(clock)
    assert union(clock, node).completed(1.0) == []
    assert (clock.now, node.turns) == (1.0, 2)


def test_a_page_that_says_neither_end_nor_marker_is_a_node_s_last():
    clock = Clock()
    made = union(clock, BucketSession(clock, 1, Page([upload(1)], truncated=None)))
    ((_, page),) = made.completed(1.0)
    assert (len(page.items), page.truncated) == (1, False)


@pytest.mark.parametrize("by_name", [False, True])
def test_the_pieces_of_a_node_s_page_lead_to_the_next_node(by_name):
    clock = Clock()
    in_pieces = Page([upload(1)], truncated=True, rest=lambda: Page([upload(2)], truncated=False))
    nodes = BucketSession(clock, 1, in_pieces), BucketSession(clock)
    made = MultiNodeSession([Node("one", None), Node("two", None)], nodes, clock.monotonic)
    made.start(LISTING._replace(by_name=by_name), 60.0, "label")
    ((_, page),) = made.completed(1.0)
    pieces = list(pieces_of(page))
    assert [each.key for piece in pieces for each in piece.items] == [upload(1).key, upload(2).key]
    assert [(piece.last_of_node, piece.next_marker) for piece in pieces] == [(False, None), (True, ("1",))]


def test_a_failure_keeps_all_that_the_node_said_of_it():
    clock = Clock()
    refusal = error(Reason.THROTTLED, 503, "SlowDown", retryable=True)
    refusal.retry_after = 7.0
    ((_, named),) = union(clock, BucketSession(clock, 1, refusal)).completed(1.0)
    assert (named.reason, named.status, named.code) == (Reason.THROTTLED, 503, "SlowDown")
    assert (named.retryable, named.retry_after) == (True, 7.0)


def test_every_node_s_calls_and_connections_are_given_back():
    clock = Clock()
    nodes = BucketSession(clock), BucketSession(clock)
    stores = [Store(partial(lambda node: node, node)) for node in nodes]
    made = MultiNodeStore([Node("a", stores[0]), Node("b", stores[1])])
    made.open(BUCKET, 60.0).close()
    made.close()
    assert Counter(node.closed for node in (*nodes, *stores)) == {1: 4}


def test_where_a_node_cannot_be_asked_it_is_named_and_those_before_it_hold_nothing():
    def refuse():
        raise error(Reason.CREDENTIALS)

    first = BucketSession(Clock())
    made = MultiNodeStore([Node("node-a", Store(lambda: first)), Node("node-b", Store(refuse))])
    with pytest.raises(type(error(Reason.CREDENTIALS)), match=r"^node-b: a credentials of the test"):
        made.open(BUCKET, 60.0)
    assert first.closed == 1


class Holding:
    """The calls of a node that lists the uploads `listed`, by name also those it `knows`, one a page."""

    listing_start = ListingStart.ANY_KEY

    def __init__(self, listed, knows=()):
        self.listed = listed
        self.knows = [*listed, *knows]
        self.asked = []
        self.answers = []

    def start(self, request, deadline, label):
        self.asked.append(request)
        self.answers.append((label, self.answer(request)))

    def answer(self, request):
        if request.upload is not None:
            return Page([], truncated=False) if request.upload in self.knows else GONE
        place = int(request.marker[1]) if request.marker else 0
        held = [u for u in self.knows if u.key == request.bucket.prefix] if request.by_name else self.listed
        more = place + 1 < len(held)
        following = ("k", f"{place + 1}") if more else None
        return Page(held[place : place + 1], truncated=more, next_marker=following)

    def completed(self, timeout):
        answers, self.answers = self.answers, []
        return answers


def drive(session, task):
    """Answer a task's requests by the session; return what it returns."""
    move, what = task.send, None
    while True:
        try:
            session.start(move(what), 60.0, None)
        except StopIteration as end:
            return end.value
        ((_, what),) = session.completed(1.0)
        move = task.throw if isinstance(what, Exception) else task.send


def of_nodes(*nodes):
    return MultiNodeSession([Node(f"node-{n}", None) for n in range(len(nodes))], nodes)


def listed(session, paginator):
    found = []
    while not paginator.done:
        found += drive(session, list_next_page(paginator, BUCKET))
    return found


K1, K2, K3, OTHER = Upload("k", "1"), Upload("k", "2"), Upload("k", "3"), Upload("other", "4")


def test_a_question_by_name_is_answered_by_all_nodes_each_upload_once():
    nodes = Holding([K1, OTHER]), Holding([K2, K1]), Holding([]), Holding([K3])
    assert drive(of_nodes(*nodes), list_by_key(BUCKET, "k")) == KeyListing([K1, K2, K3], complete=True)


def test_a_question_by_name_is_answered_whatever_was_listed_before():
    session = of_nodes(Holding([K1, K2]), Holding([K2, K3]))
    assert len(listed(session, uploads_paginator())) == 3
    assert drive(session, list_by_key(BUCKET, "k")).uploads == [K1, K2, K3]


def test_a_question_by_name_takes_no_upload_from_the_listing_in_progress():
    session, paginator = of_nodes(Holding([OTHER], knows=[K1, K2]), Holding([K1, K2])), uploads_paginator()
    first = drive(session, list_next_page(paginator, BUCKET))
    drive(session, list_by_key(BUCKET, "k"))
    assert [*first, *listed(session, paginator)] == [OTHER, K1, K2]


@pytest.mark.parametrize("by_name", [False, True])
def test_parts_are_asked_of_the_node_that_listed_the_upload_by_name(*, by_name):
    nodes = Holding([OTHER]), Holding([]), Holding([], knows=[K1])
    session = of_nodes(*nodes)
    listed(session, uploads_paginator())
    if by_name:
        drive(session, list_by_key(BUCKET, "k"))
    session.start(PageRequest(BUCKET, K1, None), 60.0, None)
    ((_, outcome),) = session.completed(1.0)
    assert isinstance(outcome, Page) == by_name


def test_they_are_even_where_another_node_listed_it_before():
    nodes = Holding([K1]), Holding([], knows=[K1])
    session = of_nodes(*nodes)
    listed(session, uploads_paginator())
    nodes[0].knows = []
    drive(session, list_by_key(BUCKET, "k"))
    session.start(PageRequest(BUCKET, K1, None), 60.0, None)
    ((_, outcome),) = session.completed(1.0)
    assert isinstance(outcome, Page)


def test_a_garbled_answer_of_a_node_is_still_told_apart():
    clock = Clock()
    garbled = StoreError(Reason.BAD_RESPONSE, "no page", garbled=True)
    ((_, named),) = union(clock, BucketSession(clock, 1, garbled)).completed(1.0)
    assert named.garbled


def test_the_last_page_of_each_node_but_the_last_says_so():
    session = of_nodes(Holding([K1]), Holding([K2]))
    session.start(LISTING, 60.0, None)
    session.start(LISTING._replace(marker=("1",)), 60.0, None)
    pages = [page for _ in range(2) for _, page in session.completed(0.1)]
    assert [(page.last_of_node, page.truncated) for page in pages] == [(True, True), (False, False)]


@pytest.mark.parametrize("key", ["k", "1"])
def test_a_plain_pair_as_marker_is_one_of_the_first_node(key):
    first, second = Holding([K1, K2]), Holding([K3])
    session = of_nodes(first, second)
    session.start(PageRequest(BUCKET, None, (key, "1")), 60.0, None)
    assert [each.marker for each in (*first.asked, *second.asked)] == [(key, "1")]
    ((_, page),) = session.completed(1.0)
    assert page.items == [K2]

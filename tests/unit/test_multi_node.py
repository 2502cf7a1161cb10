"""The calls of a union: every node gets on with its own, and gives back what it held."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
from fakes import BUCKET, Clock, error, upload

from exporter.model.errors import Reason
from exporter.stores.base import Page, PageRequest
from exporter.stores.multi_node import MultiNodeSession, MultiNodeStore, Node

LISTING = PageRequest(BUCKET, None, None)


class BucketSession:
    """A node's calls: `ready` says how often it has an answer; each is a page without uploads."""

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
    has_part_times = True
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

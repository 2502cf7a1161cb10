"""The real servers these tests share, started when a first test asks for them; all have these two marks."""

import pytest
from servers.azurite import azurite
from servers.ceph import ceph, ceph_bucket
from servers.fill import big_bucket
from servers.prometheus import prometheus

__all__ = ["azurite", "big_bucket", "ceph", "ceph_bucket", "prometheus"]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.server)
    item.add_marker(pytest.mark.no_cover)

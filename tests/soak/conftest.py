"""The real server that these tests share; all are marked `server` and `slow`."""

import pytest
from servers.ceph import ceph, ceph_bucket

__all__ = ["ceph", "ceph_bucket"]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.server)
    item.add_marker(pytest.mark.slow)

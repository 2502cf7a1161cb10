"""Fixtures of servers that tests share, started when a first test asks for them; which tests come first."""

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a loaded machine is slow, and proves nothing by it
settings.load_profile("patient")

# In this order: a module that another one imports comes first.
pytest_plugins = ["servers.ceph", "servers.prometheus", "servers.fill", "servers.image"]

SLOWEST = ("test_ledger_month.py", "test_image.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: a worker that got it last would end long after the others."""
    items.sort(key=lambda item: (item.path.name not in SLOWEST, item.path.parent.name != "real"))

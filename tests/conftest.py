"""Which tests come first, and how patient generated ones are.

What starts servers for tests is imported by the conftest.py of the folders that use it, so that no other test
needs their packages.
"""

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a loaded machine is slow, and proves nothing by it
settings.load_profile("patient")

SLOWEST = ("test_dashboards_prometheus.py", "test_ledger_month.py", "test_image.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: a worker that got it last would end long after the others."""
    items.sort(key=lambda item: (item.path.name not in SLOWEST, item.path.parent.name != "real"))

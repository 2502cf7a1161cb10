"""Which tests come first, which are measured, and how patient generated ones are.

What starts servers for tests is imported by the conftest.py of the folders that use it, so that no other test
needs their packages.
"""

import sys

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a loaded machine is slow, and proves nothing by it
settings.load_profile("patient")

SLOWEST = (
    "test_alerts_fire.py",
    "test_image.py",
    "test_segments_servers.py",
    "test_liar.py",
    "test_dashboards_prometheus.py",
    "test_engines.py",
)
"""Files in the order in which they begin: those that wait beside those that compute."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: a worker that got it last would end long after the others."""

    def place(item: pytest.Item) -> tuple[int, bool]:
        name = item.path.name
        number = SLOWEST.index(name) if name in SLOWEST else len(SLOWEST)
        return number, item.path.parent.name != "real"

    items.sort(key=place)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """End the first of two measurements that pytest-cov begins in a worker: `no_cover` ends the other one."""
    coverage = sys.modules.get("coverage")
    if coverage and hasattr(session.config, "workerinput") and (first := coverage.Coverage.current()):
        first.stop()

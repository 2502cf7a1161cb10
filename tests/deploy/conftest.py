"""The image that these tests share, built when a first test asks for it; all are marked `deploy`."""

import pytest
from servers.image import podman

__all__ = ["podman"]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.deploy)

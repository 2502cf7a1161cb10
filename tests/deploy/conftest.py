"""The image that these tests share, built when a first test asks for it; all have these two marks."""

import pytest
from servers.image import podman

__all__ = ["podman"]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.deploy)
    item.add_marker(pytest.mark.no_cover)

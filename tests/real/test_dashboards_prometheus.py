"""Every query of the dashboards and of the guide, asked of Debian's Prometheus, which scrapes the demo."""

from __future__ import annotations

from servers.scraped import Scraped, prometheus, rig

__all__ = ["prometheus", "rig"]


class TestDebians(Scraped):
    program = "prometheus"

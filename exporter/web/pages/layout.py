"""What all pages share: the frame with its links, style and script, and the Content-Security-Policy."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import NamedTuple

from exporter import __version__
from exporter.config.sharding import UNSHARDED, Shard
from exporter.web.pages.templates import render


def _read(name: str) -> tuple[str, str]:
    """Return a file of this folder, and what a policy calls it by."""
    text = files("exporter.web.pages").joinpath(name).read_text(encoding="utf-8")
    return text, f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_STYLE, _STYLE_HASH = _read("style.css")
_SCRIPT, _SCRIPT_HASH = _read("copy.js")
POLICY = (
    f"default-src 'none'; style-src {_STYLE_HASH}; script-src {_SCRIPT_HASH}; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of every page: its own style, the script of buttons that copy, nothing else.

The one image is an empty icon in the page itself, which spares browsers a request for one.
"""


class PageContext(NamedTuple):
    """What each page has to know: the path of the metrics, the shard, and what is served.

    That is whether there is `/uploads`, and whether scans can be requested by `POST /-/scan`.
    """

    telemetry_path: str = "/metrics"
    uploads: bool = False
    shard: Shard = UNSHARDED
    scan: bool = False


class _Link(NamedTuple):
    """A link at the top of each page; `current` where it is the page itself."""

    href: str
    name: str
    current: bool


def render_page(template: str, context: PageContext, path: str, **values: object) -> str:
    """Return a whole page as HTML; `path` is its own."""
    return render(
        template,
        style=_STYLE,
        script=_SCRIPT,
        version=__version__,
        shard=context.shard,
        links=_links(context, path),
        **values,
    )


def _links(context: PageContext, path: str) -> list[_Link]:
    pages = [
        ("/", "Buckets"),
        *([("/uploads", "Worst uploads")] if context.uploads else []),
        (context.telemetry_path, "Metrics"),
        ("/api/v1/targets", "JSON"),
        ("/-/healthy", "Health"),
        ("/-/ready", "Readiness"),
    ]
    return [_Link(_relative(each), name, each == path) for each, name in pages]


def _relative(path: str) -> str:
    """Return a link to a path from a page at the top: a proxy may serve all of them under a prefix."""
    return path.removeprefix("/") or "./"

"""What all pages have in common: the frame, the style, and texts made harmless. No scripts."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from exporter import __version__
from exporter.human import human_seconds, moment
from exporter.quoting import one_line
from exporter.web.exchange import HTML, Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STYLE = files("exporter.web").joinpath("style.css").read_text(encoding="utf-8")
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath fill='%230b6bcb' d='M1 9h3v6H1zM6 5h3v10H6zM11 1h3v14h-3z'/%3E%3C/svg%3E"
)
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · mpu-exporter</title>
<link rel="icon" href="{icon}">
<style>{style}</style>
</head>
<body>
<a class="skip" href="#content">Skip to content</a>
<header>
<p class="name">mpu-exporter <small>{version}</small></p>
<nav aria-label="Pages"><ul>{links}</ul></nav>
</header>
<main id="content" tabindex="-1">
{body}
</main>
<footer><p>As of {now} UTC. Values are as of each bucket's last good scan; so are ages.</p></footer>
</body>
</html>
"""


def page(title: str, body: str, links: Iterable[tuple[str, str]], here: str, now: float) -> Response:
    """Return a page; `links` are addresses and texts, of which `here` is the page's own."""
    shown = (
        f'<li><a href="{escape(address)}"{_CURRENT if address == here else ""}>{escape(text)}</a></li>'
        for address, text in links
    )
    text = _PAGE.format(
        title=text_of(title),
        icon=_ICON,
        style=STYLE,
        version=__version__,
        links="".join(shown),
        body=body,
        now=moment(now),
    )
    headers = ((b"content-security-policy", _POLICY.encode()),)
    return Response(200, text.encode(errors="backslashreplace"), HTML, headers)


_CURRENT = ' aria-current="page"'


def text_of(text: str) -> str:
    """Return a text for HTML: what is not printable as visible escapes, the rest as it is."""
    return escape(one_line(text))


def link(path: str, query: Mapping[str, object]) -> str:
    """Return an address for an attribute; empty parameters are left out."""
    given = {name: str(value) for name, value in query.items() if value}
    return escape(f"{path}?{urlencode(given, errors='replace')}" if given else path)


def span(seconds: float | None) -> str:
    """Return a span of time in its two largest units, seconds whole."""
    return f"{seconds:.0f}s" if seconds is not None and 0 <= seconds < 60 else human_seconds(seconds)  # noqa: PLR2004


def time_of(at: float | None, shown: str) -> str:
    """Return a text with the moment that it is about."""
    if at is None:
        return shown
    when = moment(at)
    return f'<time datetime="{when.replace(" ", "T")}Z" title="{when} UTC">{shown}</time>'


def options(values: Iterable[tuple[str, str]], selected: str) -> str:
    """Return the options of a select: values and texts."""
    return "".join(
        f'<option value="{escape(value)}"{" selected" if value == selected else ""}>{text_of(text)}</option>'
        for value, text in values
    )

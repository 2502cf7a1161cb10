"""What all pages share: the frame around them, their style, and how strangers' texts come into them."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from exporter import __version__
from exporter.config.sharding import ALONE, Shard
from exporter.text.humanize import NOTHING, human_seconds, moment
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

_STYLE = files("exporter.web.pages").joinpath("style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of every page: its own style and nothing else; no script runs.

The one image is an empty icon in the page itself, which spares browsers a request for one.
"""

_FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<a class="skip" href="#list">Skip to the list</a>
<header>
<h1>mpu-exporter</h1>
<nav aria-label="Pages"><ul>{links}</ul></nav>
</header>
<main>
{shard}{body}
</main>
<footer>mpu-exporter {version}. All times are UTC.</footer>
</body>
</html>
"""


class PageContext(NamedTuple):
    """What pages have to know of the others: where the metrics are, and whether uploads are shown.

    `shard` says which of all buckets they show.
    """

    telemetry_path: str = "/metrics"
    uploads: bool = False
    shard: Shard = ALONE


def frame(site: PageContext, path: str, title: str, body: str) -> str:
    """Return a whole page; `path` is its own."""
    places = [
        ("/", "Buckets"),
        *([("/uploads", "Worst uploads")] if site.uploads else []),
        (site.telemetry_path, "Metrics"),
        ("/api/v1/targets", "JSON"),
        ("/-/healthy", "Health"),
        ("/-/ready", "Readiness"),
    ]
    current = ' aria-current="page"'
    links = "".join(
        f'<li><a href="{escape(_from_here(link))}"{current if link == path else ""}>{name}</a></li>'
        for link, name in places
    )
    return _FRAME.format(
        title=escape(title),
        style=_STYLE,
        links=links,
        shard=_shard(site.shard),
        body=body,
        version=__version__,
    )


def _shard(shard: Shard) -> str:
    """Return what tells that there is more than is shown here, '' where there is not."""
    if shard.total == 1:
        return ""
    told = f"Shard {shard.ordinal} of {shard.total}, counted from 0"
    return f'<p class="lead">{told}: other buckets are watched, and shown, by the others.</p>\n'


def _from_here(path: str) -> str:
    """Return a link to a path from a page at the top: relative, for whoever serves us under a prefix."""
    return path.removeprefix("/") or "./"


def text(value: str) -> str:
    r"""Return a stranger's text as HTML on one line; what nobody could see stands as `\n` or `\u202e`."""
    return escape(one_line(value))


def number(value: int | None) -> str:
    """Return a number with its thousands apart, a dash where it is not known."""
    return NOTHING if value is None else f"{value:,}"


def money(cost: tuple[str, float]) -> str:
    """Return currency and amount as HTML; a little is not nothing."""
    currency, amount = cost
    shown = "&lt; 0.01" if 0 < amount < 0.005 else f"{amount:,.2f}"  # noqa: PLR2004 - half a cent
    return f"{shown} {text(currency)}"


def when(seconds: float | None, note: str = "") -> str:
    """Return a moment as HTML, with a note under it."""
    if seconds is None:
        return NOTHING
    shown = moment(seconds)
    below = f"<small>{note}</small>" if note else ""
    return f'<time datetime="{shown.replace(" ", "T")}Z">{shown}</time>{below}'


def ago(seconds: float | None, now: float) -> str:
    """Return a moment as the time since then, with the moment under it."""
    if seconds is None:
        return NOTHING
    return f"{human_seconds(max(0.0, now - seconds))} ago<small>{when(seconds)}</small>"


def options(values: Iterable[tuple[str, str]], chosen: str) -> str:
    """Return the options of a select: value and what is shown for it."""
    return "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{text(shown)}</option>'
        for value, shown in values
    )

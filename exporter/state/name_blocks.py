"""A block of names of uploads, their keys and ids, as it is stored in the database: compressed."""

from __future__ import annotations

import math
import struct
import zlib
from typing import TYPE_CHECKING

from exporter.model.uploads import Upload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_COLUMNS = ("key", "upload_id", "storage_class", "initiator")
_LEVEL = 1
"""Of zlib: higher ones take longer, and ids compress no better."""


def pack_names(names: Mapping[int, Upload]) -> bytes:
    """Return uploads by their row ids as one compressed block.

    It holds their number, then column by column the ids, the times (NaN: not known), the lengths of all texts
    and the texts. Any text comes back as it was, also one that is no valid Unicode.
    """
    uploads = names.values()
    texts = [getattr(upload, column) for column in _COLUMNS for upload in uploads]
    times = [math.nan if each.initiated is None else each.initiated for each in uploads]
    head = struct.pack(f"<I{len(names)}q{len(names)}d", len(names), *names, *times)
    lengths = struct.pack(f"<{len(texts)}I", *map(len, texts))
    return zlib.compress(head + lengths + "".join(texts).encode("utf-8", "surrogatepass"), _LEVEL)


def unpack_names(block: bytes) -> dict[int, Upload]:
    """Return the uploads of a block by their row ids; {} where it is damaged."""
    try:
        data = zlib.decompress(block)
        (count,) = struct.unpack_from("<I", data)
        layout = f"<I{count}q{count}d{len(_COLUMNS) * count}I"
        _, *numbers = struct.unpack_from(layout, data)
        text = data[struct.calcsize(layout) :].decode("utf-8", "surrogatepass")
    except (zlib.error, struct.error, ValueError):
        return {}
    ids, times, lengths = numbers[:count], numbers[count : 2 * count], numbers[2 * count :]
    texts = list(_split(text, lengths))
    keys, upload_ids, classes, initiators = (texts[each * count :][:count] for each in range(len(_COLUMNS)))
    known_times = (None if math.isnan(time) else time for time in times)
    return dict(zip(ids, map(Upload, keys, upload_ids, known_times, classes, initiators), strict=True))


def _split(text: str, lengths: Iterable[int]) -> Iterator[str]:
    start = 0
    for length in lengths:
        yield text[start : start + length]
        start += length

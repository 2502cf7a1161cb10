"""Canned answers as files, as Azure gives them: a container's blobs page by page, and a list of blocks.

Every tenth blob is an upload. The page is found by the marker that asks for it, as in `pages`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = 5000
BLOCK_BYTES = 8 * 1024 * 1024
EVERY = 10
"""Of so many blobs, one is not committed."""
_XML = '<?xml version="1.0" encoding="utf-8"?>'
_LEASE = "<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>"
_TIER = "<AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred>"
_UNCOMMITTED = (
    "<Blob><Name>{name}</Name><Properties><Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType>"
    f"{_TIER}{_LEASE}<ServerEncrypted>true</ServerEncrypted></Properties><OrMetadata /></Blob>"
)
_COMMITTED = (
    "<Blob><Name>{name}</Name><Properties><Creation-Time>Wed, 01 Jan 2025 00:00:00 GMT</Creation-Time>"
    "<Last-Modified>Wed, 01 Jan 2025 00:00:00 GMT</Last-Modified><Etag>0x8DD29F{number:09X}</Etag>"
    "<Content-Length>8388608</Content-Length><Content-Type>application/octet-stream</Content-Type>"
    "<Content-Encoding /><Content-Language /><Content-CRC64 />"
    "<Content-MD5>0wfxVCzVPjKV2hqpqrFZHA==</Content-MD5>"
    f"<Cache-Control /><Content-Disposition /><BlobType>BlockBlob</BlobType>{_TIER}{_LEASE}"
    "<ServerEncrypted>true</ServerEncrypted></Properties><OrMetadata /></Blob>"
)
_BLOCK = "<Block><Name>{number:08}</Name><Size>{size}</Size></Block>"


@dataclass(frozen=True)
class Container:
    """What a container holds: so many blobs, and of so many blocks each that is not committed."""

    name: str
    blobs: int
    parts: int

    @property
    def totals(self) -> tuple[int, int, int]:
        """The uploads, all their blocks, and the bytes of these."""
        uploads = self.blobs // EVERY
        return uploads, uploads * self.parts, uploads * self.parts * BLOCK_BYTES

    def write(self, folder: Path) -> None:
        """Write the pages into a folder of the container's name."""
        home = folder / self.name
        home.mkdir(parents=True)
        for number, text in enumerate(self._pages()):
            after = f"{number - 1:06}" if number else ""
            (home / f"uploads-{after}.xml").write_text(text, encoding="utf-8-sig")
        (home / "parts.xml").write_text(self._blocks(), encoding="utf-8-sig")

    def _pages(self) -> Iterator[str]:
        for first in range(0, self.blobs, PAGE):
            numbers = range(first, min(first + PAGE, self.blobs))
            blobs = "".join(_blob(number) for number in numbers)
            marker = f"2!68!page-{first // PAGE:06}" if numbers[-1] + 1 < self.blobs else ""
            yield (
                f'{_XML}<EnumerationResults ServiceEndpoint="http://127.0.0.1/" ContainerName="{self.name}">'
                f"<Blobs>{blobs}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
            )

    def _blocks(self) -> str:
        blocks = "".join(_BLOCK.format(number=number, size=BLOCK_BYTES) for number in range(self.parts))
        return f"{_XML}<BlockList><UncommittedBlocks>{blocks}</UncommittedBlocks></BlockList>"


def _blob(number: int) -> str:
    name = f"backups/page-{number // PAGE:06}/{number % PAGE:04}.tar.zst"
    return (_COMMITTED if number % EVERY else _UNCOMMITTED).format(name=name, number=number)

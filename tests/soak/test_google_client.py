"""Google's own Java client and the exporter read the same stand-in, and find the same uploads in it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from contract.rig_gcs import with_token
from contract.rigs import SCAN, Part, Upload
from servers import do_without
from servers.gcs import TOKEN

CLIENT = Path(__file__).parent / "google_client" / "list.sh"
ODD_KEYS = ("a b/ü", "100%+1", "q?x&y#z", "a//b", 'it\'s "so" <&>', "\U0001f600")


def by_google(url: str, page_size: int) -> dict[tuple[str, str], tuple[str, float, int, int]]:
    """Return class, initiation, parts and bytes of each upload, by key and id, as Google's client has it."""
    if subprocess.run([CLIENT, "installed"], capture_output=True, check=False).returncode:
        do_without("Google's Java client (tests/soak/google_client/list.sh install)")
    words = [str(CLIENT), "run", url, "media", TOKEN, str(page_size)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=250, check=True)
    rows = [line.split(" ") for line in done.stdout.splitlines()]
    return {
        (unquote_plus(key), upload_id): (storage_class, int(initiated) / 1000, int(parts), int(size))
        for key, upload_id, storage_class, initiated, parts, size in rows
    }


@pytest.mark.parametrize("page_size", [2, 1000])
def test_both_find_the_same_uploads(page_size: int):
    parts = [[Part(part, 1000 + part) for part in range(1, number % 5 + 1)] for number in range(60)]
    uploads = [
        Upload(f"key/{number % 40:03}", f"id-{number}", 1.79e9 + number, storage_class, each)
        for number, each in enumerate(parts)
        for storage_class in [("STANDARD", "NEARLINE", "ARCHIVE")[number % 3]]
    ]
    uploads += [Upload(key, f"odd-{number}", parts=[Part(1, 7)]) for number, key in enumerate(ODD_KEYS)]
    with with_token(scan=replace(SCAN, page_size=page_size)) as rig:
        rig.fill(uploads)
        ours = {}
        for each in rig.uploads():
            totals = rig.size(Upload(each.key, each.upload_id))
            ours[each.key, each.upload_id] = (each.storage_class, each.initiated, totals.parts, totals.bytes)
        assert len(ours) == len(uploads)
        assert by_google(rig.standin.url, page_size) == ours

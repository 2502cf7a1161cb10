"""MinIO, one node with one drive, and one with four, whose parts and indexes lie on several."""

from dataclasses import replace

from servers.matrix.declaration import Server, Told
from servers.matrix.recipes.by_hand import ACCESS_KEY, SECRET_KEY, by_hand

SERVER = Server(
    name="MinIO",
    version="2026-02-12",
    opened=by_hand("minio"),
    access_key=ACCESS_KEY,
    secret_key=SECRET_KEY,
    own_page=0,
    engines=("wire", "boto3", "obs-v2", "obs-v4"),
    refuses=frozenset({"double slash", "trailing slash", "dot segment", "dot-dot segment", "900 bytes"}),
    folds={"leading slash": "lead"},
    told={"controls": Told("unsized", "lists U+FFFD for control characters, and knows no such key")},
    habits=(
        "lists one page, however long",
        "lists nothing after a restart: what is remembered stays counted, told as unlisted",
        "lists by a prefix only where it is a key: then the whole bucket is listed",
        "a cluster goes on listing what ended through another node: told as denied",
        "removes uploads 24 h after they began",
    ),
)

FOUR_DRIVES = replace(SERVER, name="MinIO, 4 drives", opened=by_hand("minio", "4"))

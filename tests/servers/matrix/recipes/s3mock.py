"""Adobe's S3Mock, which keeps its buckets in a folder."""

from servers.matrix.declaration import Server, Told
from servers.matrix.recipes.by_hand import by_hand

SERVER = Server(
    name="S3Mock",
    version="5.2.0",
    opened=by_hand("s3mock"),
    threads=1,
    told={"controls": Told("unsized", "cannot list the parts of a key with a control character")},
    habits=(
        "ignores the upload id of a marker: told, and each page's last key is asked for by name",
        "uploads that are begun side by side may lose their parts: unsized",
    ),
)

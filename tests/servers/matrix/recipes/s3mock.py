"""Adobe's S3Mock, which keeps its buckets in a folder."""

from servers.matrix.declaration import Server, Told
from servers.matrix.recipes.by_hand import by_hand

SERVER = Server(
    name="S3Mock",
    version="5.2.0",
    opened=by_hand("s3mock"),
    told={
        "controls": Told("unsized", "cannot list the parts of a key with a control character"),
        "plain": Told("unsized", "an abort takes the parts of the key's other uploads"),
    },
    habits=(
        "ignores the upload id of a marker: each page's last key is asked for by name, and told",
        "with `scan.parts: never` or `always` the uploads that it leaves out are not noticed",
    ),
)

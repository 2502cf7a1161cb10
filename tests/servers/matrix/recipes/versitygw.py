"""Versity S3 Gateway, on a folder."""

from servers.matrix.declaration import Server, Told
from servers.matrix.recipes.by_hand import ACCESS_KEY, SECRET_KEY, by_hand

SERVER = Server(
    name="Versity S3 Gateway",
    version="1.8.0",
    opened=by_hand("versitygw"),
    access_key=ACCESS_KEY,
    secret_key=SECRET_KEY,
    engines=("wire", "boto3", "obs-v4"),
    initiated="activity",
    refuses=frozenset({"trailing slash"}),
    told={"controls": Told("unsized", "lists U+FFFD for control characters, and knows no such key")},
    habits=(
        "refuses its own markers: the listing goes on by key, and each page's last key is asked for by name",
    ),
)

"""Garage, one node with an SQLite index."""

from servers.matrix.declaration import Server
from servers.matrix.recipes.by_hand import by_hand

SERVER = Server(
    name="Garage",
    version="2.5.0",
    opened=by_hand("garage"),
    access_key="GK00000000000000000000cafe",
    secret_key="000000000000000000000000000000000000000000000000000000000000cafe",
    region="garage",
    engines=("wire", "boto3", "obs-v4"),
    completed_ends_key=True,
    folds={"leading slash": "lead"},
    habits=("a completed upload ends all others of its key",),
)

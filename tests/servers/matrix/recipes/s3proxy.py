"""S3Proxy, on a folder."""

from servers.matrix.declaration import Server, Told
from servers.matrix.recipes.by_hand import ACCESS_KEY, SECRET_KEY, by_hand

SERVER = Server(
    name="S3Proxy",
    version="4.1.0",
    opened=by_hand("s3proxy"),
    access_key=ACCESS_KEY,
    secret_key=SECRET_KEY,
    engines=("wire", "boto3", "obs-v2", "obs-v4"),
    refuses=frozenset({"dot-dot segment", "900 bytes"}),
    folds={"double slash": "dbl/slash", "dot segment": "dot/c"},
    told={"controls": Told("unsized", "ends its answer about parts at a control character of the key")},
    habits=("answers ListParts of an ended upload with 200 and no parts",),
)

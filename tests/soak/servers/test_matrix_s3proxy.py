from servers.matrix.cells import Matrix, rig
from servers.matrix.recipes.s3proxy import SERVER

__all__ = ["rig"]


class TestS3Proxy(Matrix):
    server = SERVER

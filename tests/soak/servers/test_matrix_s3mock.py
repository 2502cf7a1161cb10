from servers.matrix.cells import Matrix, rig
from servers.matrix.recipes.s3mock import SERVER

__all__ = ["rig"]


class TestS3Mock(Matrix):
    server = SERVER

from servers.matrix.cells import Matrix, rig
from servers.matrix.recipes.seaweedfs import SERVER

__all__ = ["rig"]


class TestSeaweedFS(Matrix):
    server = SERVER

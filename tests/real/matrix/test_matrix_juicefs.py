from servers.matrix.cells import Matrix, rig
from servers.matrix.recipes.juicefs import SERVER

__all__ = ["rig"]


class TestJuiceFS(Matrix):
    server = SERVER

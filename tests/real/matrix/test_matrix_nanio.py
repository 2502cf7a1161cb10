from servers.matrix.cells import Matrix, rig
from servers.matrix.recipes.nanio import SERVER

__all__ = ["rig"]


class TestNanio(Matrix):
    server = SERVER

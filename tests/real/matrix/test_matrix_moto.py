from servers.matrix.cells import Matrix, rig
from servers.matrix.recipes.moto import SERVER

__all__ = ["rig"]


class TestMoto(Matrix):
    server = SERVER

from servers.matrix.cells import Matrix, rig
from servers.matrix.recipes.garage import SERVER

__all__ = ["rig"]


class TestGarage(Matrix):
    server = SERVER

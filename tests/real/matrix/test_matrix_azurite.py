from servers.matrix.cells import Matrix, rig
from servers.matrix.recipes.azurite import SERVER

__all__ = ["rig"]


class TestAzurite(Matrix):
    server = SERVER

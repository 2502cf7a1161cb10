from servers.matrix.cells import Matrix, rig
from servers.matrix.recipes.ministack import SERVER

__all__ = ["rig"]


class TestMiniStack(Matrix):
    server = SERVER

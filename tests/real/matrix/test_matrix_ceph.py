from servers.matrix.cells import Matrix, rig
from servers.matrix.recipes.ceph import SERVER

__all__ = ["rig"]


class TestCeph(Matrix):
    server = SERVER

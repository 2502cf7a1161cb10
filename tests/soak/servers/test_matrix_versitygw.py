from servers.matrix.cells import Matrix, rig
from servers.matrix.recipes.versitygw import SERVER

__all__ = ["rig"]


class TestVersityGateway(Matrix):
    server = SERVER

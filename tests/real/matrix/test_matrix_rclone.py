from servers.matrix.cells import Matrix, rig
from servers.matrix.recipes.rclone import SERVER

__all__ = ["rig"]


class TestRclone(Matrix):
    server = SERVER

from servers.matrix.cells import Matrix, rig
from servers.matrix.recipes.minio import FOUR_DRIVES, SERVER

__all__ = ["rig"]


class TestMinIO(Matrix):
    server = SERVER


class TestMinIOFourDrives(Matrix):
    server = FOUR_DRIVES

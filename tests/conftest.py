"""Fixtures of servers that tests share; each server starts when the first test asks for it."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a loaded machine is slow, and proves nothing by it
settings.load_profile("patient")

# In this order: a module that another one imports comes first.
pytest_plugins = ["servers.ceph", "servers.prometheus", "servers.fill", "servers.image"]

"""Fixtures of servers that tests share; each server starts when the first test asks for it."""

# In this order: a module that another one imports comes first.
pytest_plugins = ["servers.ceph", "servers.prometheus", "servers.fill"]

"""A question about a bucket in, one proven page out; all that is particular to one vendor.

That includes the permissions a store's calls need, and the command that aborts an upload.

Offers: `abort_command`, `base`, `engine.concurrency`, `engine.executor`, `engine.rate_limit`, `engine.retry`,
`engine.store_client`, `pagination`, `permissions`, `prices`, `registry`, `transport.client`.
"""

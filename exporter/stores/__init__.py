"""A request about a bucket in, one proven page out; and all that is particular to one vendor.

`registry` has one entry for each kind of store: its class, permissions, abort command and capabilities.

Offers: `abort_command`, `base`, `engine.concurrency`, `engine.executor`, `engine.retry`,
`engine.store_client`, `not_listed`, `pagination.boundaries`, `pagination.joins`, `pagination.listing`,
`pagination.paginator`, `pagination.part_listing`, `pagination.segment_paginator`,
`pagination.segmented_listing`, `pagination.uploads_paginator`, `permissions`, `prices`, `registry`,
`time_limit`, `timestamps`, `transport.client`.
"""

"""Settings in; decides which bucket is scanned when, and puts the results on the board.

Calls go one way: the loop asks the reconciler what is watched, and hands outcomes of scans to the publisher,
which alone publishes them. Lock order: the reconciler's, then a watched target's, then its queue's. The locks
of the board, the state database, the loop, discovery and the scan log are taken last, and none inside them.

The reconciler changes the board first and the queue after it. The board accepts an outcome only from the
source that it shows: a target and a bucket, each with its present settings. So nothing of earlier settings
is shown, whichever scans are under way.

Offers: `discovery`, `loop`, `memory`, `open_files`, `publisher`, `reconciler`, `target_queue`,
`watched_target`.
"""

"""Settings in; decides which bucket is scanned when. Results go to the board.

Offers: `discovery`, `loop`, `reconciler`, `target`, `target_queue`.
"""

"""What is known of each bucket: the last result in memory (board), remembered uploads in SQLite (ledger).

Offers: `board`, `chunk_cache`, `database`, `ledger`, `notes`, `records`, `rows`.
"""

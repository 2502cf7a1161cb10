"""Azure Blob Storage: blobs of uncommitted blocks are its unfinished uploads."""

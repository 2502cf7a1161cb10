"""XML in a response in, a checked page, error or set of lifecycle rules out. Raises StoreError."""

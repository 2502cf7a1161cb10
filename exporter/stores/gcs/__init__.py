"""Google Cloud Storage, by its XML API, which is S3's: with tokens, or signed by HMAC keys."""

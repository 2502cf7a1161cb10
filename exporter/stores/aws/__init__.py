"""Shared by Amazon services: credentials, addresses, Signature Version 4, boto3 clients."""

"""Amazon S3 and servers with its API: a bucket in, sessions and pages out.

`wire` signs requests for the wire engine; its routes come from `endpoint` where a target has a URL and keys
of its own, else from `boto`, which sends through boto3.
"""

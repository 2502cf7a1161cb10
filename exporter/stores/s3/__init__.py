"""Amazon S3 and servers with its API: a bucket in, sessions and pages out.

`wire` signs requests for the wire engine; `boto` sends through boto3 and gives the wire engine its routes.
"""

"""Huawei Object Storage Service (OBS): a bucket in, sessions and pages out.

Requests are signed by esdk-obs-python and sent by the wire engine; keys come from `credentials`.
"""

"""Huawei Object Storage Service (OBS)."""

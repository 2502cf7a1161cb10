"""What botocore reads from its own files about a service: large, read-only, shared by all targets."""

from __future__ import annotations

import threading

import botocore.loaders

LOADER = botocore.loaders.create_loader()
_LOADING = threading.Lock()


def load_models(service: str) -> None:
    """Read the files of a service, once: hundreds of clients made at once would each begin to read them."""
    with _LOADING:
        for kind in ("service-2", "endpoint-rule-set-1"):
            LOADER.load_service_model(service, kind)
        for name in ("endpoints", "partitions", "sdk-default-configuration"):
            LOADER.load_data_with_path(name)

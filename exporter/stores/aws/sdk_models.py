"""botocore's data files about services: large, read-only, loaded once for all targets."""

from __future__ import annotations

import threading

import botocore.loaders

LOADER = botocore.loaders.create_loader()
_LOADING = threading.Lock()


def load_models(service: str) -> None:
    """Load the files of a service once: clients created at the same time would each load them."""
    with _LOADING:
        for kind in ("service-2", "endpoint-rule-set-1"):
            LOADER.load_service_model(service, kind)
        for name in ("endpoints", "partitions", "sdk-default-configuration"):
            LOADER.load_data_with_path(name)

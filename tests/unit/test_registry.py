"""The registry of stores: it knows each kind, and loads an SDK only for a target that needs it."""

import subprocess
import sys
import threading

import pytest
from fakes import Recorder

from exporter.config.settings import StoreKind, TargetSettings
from exporter.stores.registry import make_store, store_type
from exporter.stores.transport.client import Transport

SDKS = ("botocore", "boto3", "obs", "google")
LOADED = f"import sys; print([name for name in {SDKS} if name in sys.modules])"
REGISTRY = "from exporter.stores.registry import store_type"


def loaded_by(statement: str) -> list[str]:
    code = f"{REGISTRY}; {statement}; {LOADED}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return eval(done.stdout)


def test_what_is_asked_of_a_kind_loads_no_sdk():
    assert loaded_by("from exporter.config.settings import StoreKind; list(map(store_type, StoreKind))") == []


@pytest.mark.parametrize(
    ("kind", "sdks"), [("s3", []), ("obs", ["obs"]), ("glacier", ["botocore", "boto3"]), ("gcs", [])]
)
def test_a_store_loads_its_own_sdk_only(kind: str, sdks: list[str]):
    assert sdks == loaded_by(f"store_type('{kind}').load()")


def test_every_kind_of_the_config_has_an_entry_and_s3_alone_has_abort_dates():
    assert [kind for kind in StoreKind if store_type(kind).has_abort_dates] == ["s3"]


@pytest.mark.parametrize("kind", list(StoreKind))
def test_a_kind_says_as_its_stores_do_whether_they_list_by_key(kind: StoreKind):
    target = TargetSettings("t", kind, (), region="eu-west-1", endpoint_url="https://obs.example.com")
    store = make_store(target, Transport(Recorder(), threading.Event()))
    assert store.lists_by_key is store_type(kind).lists_by_key

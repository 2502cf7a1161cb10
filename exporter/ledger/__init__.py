"""What is remembered about uploads between scans: in SQLite, by hash, never by name."""

from exporter.ledger.bucket import PROBE_SECONDS, Ledger, Run
from exporter.ledger.recheck import Recheck
from exporter.ledger.shelf import Known, Shelf
from exporter.ledger.state import BucketName, State, StateError

__all__ = ["PROBE_SECONDS", "BucketName", "Known", "Ledger", "Recheck", "Run", "Shelf", "State", "StateError"]

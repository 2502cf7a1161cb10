"""The only room with metric names. Values are as of each bucket's last scan."""

from exporter.metrics.board import BoardCollector
from exporter.metrics.targets import TargetCollector
from exporter.metrics.work import OwnWork, process_registry

__all__ = ["BoardCollector", "OwnWork", "TargetCollector", "process_registry"]

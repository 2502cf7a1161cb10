"""mpu-exporter: multipart uploads that were started and never finished, as Prometheus metrics."""

__version__ = "0.1.0"

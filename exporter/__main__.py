"""Lets `python -m exporter` be `mpu-exporter`."""

import sys

from exporter.cli import main

sys.exit(main())

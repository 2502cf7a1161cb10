"""Lets `python -m exporter` be `mpu-exporter`."""

import sys

from exporter.cli.main import main

sys.exit(main())

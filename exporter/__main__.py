"""Where `mpu-exporter` and `python -m exporter` begin; signals come before all other imports."""

import sys

from exporter.cli.start import guess_command, prepare_process

prepare_process(guess_command(sys.argv[1:]))

from exporter.cli.main import main  # noqa: E402 - see above

if __name__ == "__main__":
    sys.exit(main())

"""Where `mpu-exporter` and `python -m exporter` begin; signals come before all other imports."""

import sys

from exporter.cli.start import guess_command, prepare_process

prepare_process(guess_command(sys.argv[1:]))

from exporter.model.scarcity import TOO_LITTLE, is_scarcity  # noqa: E402 - see above


def main() -> int:
    """Run a command; where a limit leaves it too little, that is one line and exit code 1."""
    try:
        from exporter.cli.main import main as run_command  # noqa: PLC0415 - loads libraries, which may fail

        return run_command()
    except Exception as error:
        if not is_scarcity(error):
            raise
        sys.stderr.write(f"mpu-exporter: {TOO_LITTLE}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())

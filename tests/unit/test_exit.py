"""How signals end a command that does not end by itself."""

import signal
import subprocess
import sys
import time

import pytest

HANGING = """
import signal, threading, time
from exporter.cli.signals import exit_interrupted, handle_termination
handle_termination(exit_interrupted)
threading.Thread(target=time.sleep, args=[60]).start()  # not a daemon: Python waits for it
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.mark.slow
def test_a_command_that_hangs_while_it_ends_is_ended_within_5_seconds():
    with subprocess.Popen([sys.executable, "-c", HANGING], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(15)
        finally:
            process.kill()
    assert (code, 4.0 <= time.monotonic() - started < 7.0) == (128 + signal.SIGTERM, True)

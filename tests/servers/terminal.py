"""A command on a terminal of its own: what it wrote, what a person then sees, and keys that are pressed."""

import fcntl
import os
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STEP = re.compile(r"\x1b\[K|\r|\n|[^\r\n\x1b]+")


class Terminal:
    """A pseudo-terminal with a command on it."""

    def __init__(self, command: list[str], *, columns: int = 80) -> None:
        """Start the command."""
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment | {"TERM": "xterm-256color"},
        )
        self._written = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):
            while piece := os.read(self.master, 65536):
                self._written += piece

    @property
    def written(self) -> str:
        """All that was written to it so far."""
        return self._written.decode("utf-8", "backslashreplace")

    @property
    def attributes(self) -> list[object]:
        """How it is set now."""
        return termios.tcgetattr(self._slave)

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.master, keys)

    def wait(self, seconds: float = 60) -> int:
        """Wait for the command's end, and return its exit code."""
        code = self.process.wait(seconds)
        os.close(self._slave)
        self._reader.join(seconds)
        return code

    def screen(self) -> list[str]:
        """Return the lines that a person sees, with all orders to the terminal carried out.

        It knows the few that are allowed: new line, back to the line's begin, erase to its end.
        """
        lines, column = [""], 0
        text = self.written
        steps = _STEP.findall(text)
        assert "".join(steps) == text, f"unexpected orders to the terminal: {text!r}"
        for step in steps:
            if step == "\n":
                lines.append("")
                column = 0
            elif step == "\r":
                column = 0
            elif step == "\x1b[K":
                lines[-1] = lines[-1][:column]
            else:
                lines[-1] = lines[-1][:column] + step + lines[-1][column + len(step) :]
                column += len(step)
        return lines


@contextmanager
def on_terminal(command: list[str], *, columns: int = 80) -> Iterator[Terminal]:
    """Run the command on a terminal while the block lasts."""
    terminal = Terminal(command, columns=columns)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.master)

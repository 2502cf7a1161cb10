"""One fuzzing program: `python -m soak.fuzz.program NAME FOLDER SECONDS`; `run` starts it.

A program is a module with SEEDS (bytes, what is mutated first), WORDS (bytes, what mutations put in) and
`check(data)`, which reads an input and raises whatever should not have come of it. Such an input is written
to FOLDER/findings with the traceback, once for each place; then the program goes on.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import resource
import sys
import time
import traceback
from pathlib import Path

import atheris

MAX_BYTES = 16 * 1024
MAX_CPU_SECONDS = 2.0
"""Of one input, several times what the largest takes with coverage measured."""
MAX_GROWTH_MIB = 64
"""By which one input may lift the highest RSS so far."""
_INSTRUMENTED = ["exporter", "yaml", "h11"]


class Program:
    """Checks input after input, within bounds of time and memory."""

    def __init__(self, name: str, folder: Path) -> None:
        """Import what is fuzzed, with its branches counted."""
        with atheris.instrument_imports(include=_INSTRUMENTED):
            self.module = importlib.import_module(f"soak.fuzz.{name}")
        self._findings = folder / "findings"
        self._findings.mkdir(parents=True, exist_ok=True)
        self._corpus = folder / "corpus"
        self._corpus.mkdir(exist_ok=True)
        self._words = folder / "words"
        self._peak: float | None = None

    def arguments(self, seconds: int) -> list[str]:
        """Write seeds and words, and return libFuzzer's arguments."""
        for seed in self.module.SEEDS:
            (self._corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
        self._words.write_text("".join(map(_quoted, dict.fromkeys(self.module.WORDS))))
        return [
            *(sys.argv[0], str(self._corpus), f"-dict={self._words}", f"-max_total_time={seconds}"),
            *(f"-max_len={MAX_BYTES}", "-timeout=30", "-rss_limit_mb=2048", "-print_final_stats=1"),
            f"-artifact_prefix={self._findings}/",
        ]

    def run(self, data: bytes) -> None:
        """Check one input."""
        start = time.process_time()
        try:
            self.module.check(data)
            took = time.process_time() - start
            assert took < MAX_CPU_SECONDS, f"took {took:.1f} s of CPU"
            self._check_memory()
        except Exception as error:  # noqa: BLE001 - whatever it is
            self._keep(data, error)

    def _check_memory(self) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        grown = peak - (peak if self._peak is None else self._peak)
        self._peak = peak
        assert grown < MAX_GROWTH_MIB, f"grew by {grown:.0f} MiB"

    def _keep(self, data: bytes, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"
        own = next((frame for frame in reversed(frames) if "exporter" in frame.filename), frames[-1])
        said = re.sub("[^a-z]+", "", (str(error).splitlines() or [""])[-1].lower())[:40]
        name = f"{type(error).__name__}-{Path(own.filename).stem}-{own.lineno}-{frames[-1].lineno}-{said}"
        kept = self._findings / f"{name}.input"
        if not kept.exists():
            kept.write_bytes(data)
            kept.with_suffix(".txt").write_text("".join(traceback.format_exception(error)), errors="replace")
            print(f"FOUND {place}: {str(error)[:300]!a}", flush=True)  # noqa: T201


def _quoted(word: bytes) -> str:
    """Return a line of libFuzzer's dictionary."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n'


def main() -> None:
    """Fuzz until the time is over; libFuzzer then ends the process."""
    name, folder, seconds = sys.argv[1:]
    program = Program(name, Path(folder))
    mutate = getattr(program.module, "mutate", None)
    mutator = {"custom_mutator": mutate} if mutate else {}
    atheris.Setup(program.arguments(int(seconds)), program.run, **mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

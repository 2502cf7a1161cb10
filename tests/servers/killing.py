"""Ends a process that remembers at a random instant, and looks at what it left behind."""

import random
import re
import subprocess
import sys
from pathlib import Path

from servers.rememberer import NAMED, START, Memory, kept, known_names, opened, totals, upload

SCRIPT = Path(__file__).with_name("rememberer.py")
LONGEST_SECONDS = 0.3


def kill_again_and_again(path: Path, times: int) -> list[int]:
    """Return what `kill_and_look` does, so many times on the same file."""
    seed = random.SystemRandom().randrange(10**9)
    return [kill_and_look(path, seed + number) for number in range(times)]


def kill_and_look(path: Path, seed: int) -> int:
    """Run the process and end it by SIGKILL; return up to which upload it had said that all is kept.

    Raises AssertionError, with the seed of the instant, where anything that it said is not so.
    """
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, str(SCRIPT), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        first = process.stdout.readline()
        try:
            said = first + process.communicate(timeout=random.Random(seed).uniform(0.0, LONGEST_SECONDS))[0]
        except subprocess.TimeoutExpired:
            process.kill()
            said = first + process.communicate()[0]
    assert process.returncode == -9, said
    try:
        return look(path, said)
    except AssertionError as error:
        error.add_note(f"seed {seed}")
        raise


def prove_names(memory: Memory, uploads: int) -> None:
    """Prove that each name is that of its upload, and that all are counted."""
    known = known_names(memory)
    for number in range(uploads):
        each = upload(number)
        assert known.get(memory.ledger.row_id(each)) in {None, each}, number
    named = len([each for each in known.values() if each])
    assert len(known) <= NAMED or NAMED / 2 <= named <= NAMED * 3 / 2, (len(known), named)
    assert memory.state.read("SELECT coalesce(sum(names), 0) FROM name_blocks") == [(named,)]


def look(path: Path, said: str) -> int:
    """Prove that the file holds what the process said, and not a number that is wrong."""
    settled = int((re.findall(r"^(?:open|settled) (\d+)$", said, re.MULTILINE) or ["0"])[-1])
    uploads = int((re.findall(r"^(?:open|kept) (\d+)$", said, re.MULTILINE) or ["0"])[-1])
    memory = opened(path, NAMED)
    try:
        result = memory.ledger.result
        found = result.summary.uploads if result else 0
        assert found in {settled, settled + 500}, (found, settled)  # one that was kept and not said yet
        for number, known in enumerate(kept(memory, range(uploads))):
            if known is None:
                assert number % 2 == 1, number
                assert number < found, number
                continue
            assert (known.checked_at, known.parts, known.bytes) == (START + number, *totals(number)[:2])
        prove_names(memory, uploads)
    finally:
        memory.state.close()
    assert list(path.parent.glob("*.set-aside-*")) == []
    return uploads

"""As tests/real/test_ledger_killed.py, for longer: `pytest tests/soak`."""

import random

from servers.killing import kill_and_look

TIMES = 200


def test_what_was_kept_survives_kill_9_at_random_instants(tmp_path):
    seed = random.SystemRandom().randrange(10**9)
    kept = [kill_and_look(tmp_path / "state.db", seed + number) for number in range(TIMES)]
    assert kept[-1] > kept[0]

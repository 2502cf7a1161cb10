"""A process that remembers is ended at any instant: the next one finds all that was kept."""

from servers.killing import kill_again_and_again

TIMES = 20


def test_what_was_kept_survives_kill_9_at_random_instants(tmp_path):
    kept = kill_again_and_again(tmp_path / "state.db", TIMES)
    assert kept[-1] > kept[0]

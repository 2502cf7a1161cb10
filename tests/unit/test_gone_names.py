"""Nothing is kept of buckets and targets that are gone."""

from servers.comings import comings
from servers.exporter import SECRET_KEY

from exporter.config.credentials import Credentials, Secret

KEYS = Credentials(access_key_id=Secret("AKIAIOSFODNN7EXAMPLE"), secret_access_key=Secret(SECRET_KEY))


def test_nothing_holds_the_name_of_a_bucket_that_is_gone():
    names = [
        f"{kind}-{number}{end}" for kind in ("old", "new") for number in range(4) for end in ("", "-odd")
    ]
    old, new = names[:8], names[8:]
    with comings(KEYS) as account:
        assert account.round(old) == len(old)
        assert {name for name in account.held("old-") if name in old} == set(old)
        for _ in range(2):  # a scan that began as its bucket went may leave something until the next look
            assert account.round(new) == len(new)
        assert account.held("old-") == set()


def test_nothing_holds_the_name_of_a_target_that_is_gone():
    old, new = ([f"{kind}-{number}" for number in range(4)] for kind in ("old", "new"))
    with comings(KEYS) as account:
        assert account.reload(old) == len(old)
        assert {name for name in account.held("old-") if name in old} == set(old)
        for _ in range(2):
            assert account.reload(new) == len(new)
        assert account.held("old-") == set()

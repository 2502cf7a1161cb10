"""Passwords: right ones are remembered, wrong ones cost, and nobody can crowd others out."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import bcrypt
import pytest

from exporter.web.auth.passwords import (
    CACHE_SIZE,
    MANY_PENDING,
    MAX_PENDING,
    MAX_PENDING_PER_CLIENT,
    PasswordChecker,
    TooManyChecksError,
    dummy_hash,
)

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4))
USERS = {"ann": HASH, "bob": bcrypt.hashpw(b"other", bcrypt.gensalt(5))}


class Checks:
    """Compares for real and remembers with what; can be held up."""

    def __init__(self):
        self.made: list[tuple[bytes, bytes]] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.made.append((password, hashed))
        assert self.go.wait(10)
        return bcrypt.checkpw(password, hashed)


@pytest.fixture
def checks():
    return Checks()


@pytest.fixture
def run(checks: Checks):
    """Run what is done with passwords on a loop of its own."""

    def run(work: Callable[[PasswordChecker], Awaitable[object]]) -> object:
        return asyncio.run(work(PasswordChecker(checks)))

    return run


@pytest.mark.parametrize(
    ("user", "password", "right"),
    [
        ("ann", b"secret", True),
        ("bob", b"other", True),
        ("ann", b"other", False),
        ("ann", b"", False),
        ("ann", b"secret\0", False),
        ("ann", b"x" * 100, False),
        ("", b"secret", False),
        ("eve", b"secret", False),
        ("Ann", b"secret", False),
    ],
)
def test_only_the_users_own_password_is_right(run, user: str, password: bytes, right: object):
    assert right == run(lambda passwords: passwords.verify(USERS, user, password, "a"))


def test_of_a_long_password_the_first_72_bytes_count_as_everywhere(run):
    users = {"ann": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4))}
    assert run(lambda passwords: passwords.verify(users, "ann", b"x" * 100, "a"))


def test_a_right_password_is_compared_once(run, checks: Checks):
    async def work(passwords: PasswordChecker):
        return [await passwords.verify(USERS, "ann", b"secret", "a") for _ in range(3)]

    assert run(work) == [True] * 3
    assert checks.made == [(b"secret", HASH)]


def test_a_wrong_one_is_compared_each_time(run, checks: Checks):
    async def work(passwords: PasswordChecker):
        return [await passwords.verify(USERS, "ann", b"wrong", "a") for _ in range(3)]

    assert run(work) == [False] * 3
    assert len(checks.made) == 3


def test_a_changed_hash_forgets_the_password(run):
    async def work(passwords: PasswordChecker):
        changed = {"ann": bcrypt.hashpw(b"new", bcrypt.gensalt(4))}
        return [await passwords.verify(users, "ann", b"secret", "a") for users in (USERS, changed, {})]

    assert run(work) == [True, False, False]


def test_a_user_that_is_not_known_costs_as_much_as_the_costliest(run, checks: Checks):
    run(lambda passwords: passwords.verify(USERS, "eve", b"secret", "a"))
    assert [hashed[:7] for _, hashed in checks.made] == [b"$2b$05$"]


def test_no_password_is_right_for_the_dummy_hash(run):
    assert dummy_hash({}).startswith(b"$2b$10$")
    assert not bcrypt.checkpw(b"", dummy_hash(USERS))


def test_the_oldest_matches_are_forgotten_first():
    compared = []

    def matches(password: bytes, _hash: bytes) -> bool:
        compared.append(password)
        return True

    async def work(passwords: PasswordChecker):
        for number in [*range(CACHE_SIZE + 1), CACHE_SIZE, 1, 0]:
            assert await passwords.verify(USERS, "ann", b"%d" % number, "a")

    asyncio.run(work(PasswordChecker(matches)))
    assert compared == [b"%d" % number for number in [*range(CACHE_SIZE + 1), 0]]


def test_no_password_is_kept_in_clear(run):
    async def work(passwords: PasswordChecker):
        assert await passwords.verify(USERS, "ann", b"secret", "a")
        return repr(vars(passwords))

    assert "secret" not in run(work)


def test_parts_of_credentials_cannot_be_shifted():
    async def work(passwords: PasswordChecker):
        return [
            await passwords.verify({"ann": hashed}, "ann", password, "a")
            for hashed, password in ((b"hash-1", b"23"), (b"hash-", b"123"))
        ]

    assert asyncio.run(work(PasswordChecker(lambda _, hashed: hashed == b"hash-1"))) == [True, False]


def test_the_same_credentials_at_once_are_compared_once(run, checks: Checks):
    async def work(passwords: PasswordChecker):
        asked = [passwords.verify(USERS, "ann", b"secret", "a") for _ in range(20)]
        return await asyncio.gather(*asked)

    assert run(work) == [True] * 20
    assert len(checks.made) == 1


def test_a_hash_that_only_looks_like_one_is_nobodys():
    def cannot(_password: bytes, _hash: bytes) -> bool:
        raise ValueError("Invalid salt")

    passwords = PasswordChecker(cannot)
    assert not asyncio.run(passwords.verify(USERS, "ann", b"secret", "a"))


async def crowd(passwords: PasswordChecker, number: int, client: Callable[[int], str]):
    """Begin to check this number of wrong passwords."""
    tasks = [
        asyncio.ensure_future(passwords.verify(USERS, "ann", b"%d" % each, client(each)))
        for each in range(number)
    ]
    await asyncio.sleep(0)
    return tasks


def test_one_clients_flood_is_turned_away_and_others_are_heard(run, checks: Checks):
    async def work(passwords: PasswordChecker):
        await passwords.verify(USERS, "bob", b"other", "prometheus")
        checks.go.clear()
        tasks = await crowd(passwords, MAX_PENDING_PER_CLIENT + 3, lambda _: "flood")
        remembered = await passwords.verify(USERS, "bob", b"other", "prometheus")
        new = asyncio.ensure_future(passwords.verify(USERS, "ann", b"secret", "another"))
        await asyncio.sleep(0)
        checks.go.set()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        return remembered, await new, ended

    remembered, new, ended = run(work)
    assert (remembered, new) == (True, True)
    assert ended[:MAX_PENDING_PER_CLIENT] == [False] * MAX_PENDING_PER_CLIENT
    assert [type(error) for error in ended[MAX_PENDING_PER_CLIENT:]] == [TooManyChecksError] * 3


def test_who_has_no_check_waiting_is_heard_before_the_further_ones_of_a_crowd(run, checks: Checks):
    async def work(passwords: PasswordChecker):
        checks.go.clear()
        tasks = await crowd(passwords, 2 * MANY_PENDING, lambda each: str(each % 16))
        new = asyncio.ensure_future(passwords.verify(USERS, "bob", b"other", "another"))
        await asyncio.sleep(0)
        checks.go.set()
        return await new, await asyncio.gather(*tasks, return_exceptions=True)

    new, ended = run(work)
    assert (new, ended[:MANY_PENDING]) == (True, [False] * MANY_PENDING)
    assert [password for password, _ in checks.made].index(b"other") == 17  # after one of each, and one begun


def test_all_together_have_a_limit_too_and_once_it_is_over_all_is_well(run, checks: Checks):
    async def work(passwords: PasswordChecker):
        checks.go.clear()
        tasks = await crowd(passwords, MAX_PENDING + 5, "client-{}".format)
        checks.go.set()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        return ended, await passwords.verify(USERS, "ann", b"secret", "a"), repr(vars(passwords))

    ended, after, kept = run(work)
    assert [type(error) for error in ended[MAX_PENDING:]] == [TooManyChecksError] * 5
    assert after
    assert "client-" not in kept


def test_a_client_that_left_takes_nobody_elses_answer_along(run, checks: Checks):
    async def work(passwords: PasswordChecker):
        checks.go.clear()
        first, second = (
            asyncio.ensure_future(passwords.verify(USERS, "ann", b"secret", "a")) for _ in range(2)
        )
        await asyncio.sleep(0)
        first.cancel()
        checks.go.set()
        return await second

    assert run(work)

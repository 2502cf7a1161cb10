"""A web config is read again once a new version stands still; a bad one changes nothing."""

import logging
import shutil
from pathlib import Path

import bcrypt
import pytest
from servers import need_package, wait_until

from exporter.config.problems import ConfigError
from exporter.web.auth.config import WebConfig
from exporter.web.auth.reload import WebConfigReloader

trustme = need_package("trustme")

ANN, BOB = (bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode() for _ in range(2))
TLS = "tls_server_config: {cert_file: tls/cert.pem, key_file: tls/key.pem}\n"


def issue(folder: Path, name: str = "tls") -> Path:
    """Write a new certificate and its key."""
    certificate = trustme.CA().issue_cert("localhost")
    (folder / name).mkdir(exist_ok=True)
    certificate.cert_chain_pems[0].write_to_path(folder / name / "cert.pem")
    certificate.private_key_pem.write_to_path(folder / name / "key.pem")
    return folder / name


@pytest.fixture
def file(tmp_path: Path) -> Path:
    issue(tmp_path)
    file = tmp_path / "web.yml"
    file.write_text(TLS + f"basic_auth_users: {{ann: {ANN}}}\n")
    return file


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.fields["error"] for record in caplog.records if record.levelno == logging.ERROR]


def test_without_a_file_nothing_is_asked():
    watch = WebConfigReloader(None)
    watch.start()
    watch.look()
    assert watch.now() == WebConfig()


def test_a_bad_first_version_is_an_error(file: Path):
    file.write_text("users: {}\n")
    with pytest.raises(ConfigError, match=r"web.yml:1: users: unknown key"):
        WebConfigReloader(file)


def test_what_stays_is_not_read_again(file: Path):
    watch = WebConfigReloader(file)
    before = watch.now()
    for _ in range(5):
        watch.look()
    assert watch.now() is before


def test_a_new_version_is_used_at_the_second_look_that_sees_it(file: Path):
    watch = WebConfigReloader(file)
    file.write_text(TLS + f"basic_auth_users: {{bob: {BOB}}}\n")
    watch.look()
    assert list(watch.now().users) == ["ann"]
    watch.look()
    assert list(watch.now().users) == ["bob"]


def test_a_new_certificate_is_used_too(file: Path):
    watch = WebConfigReloader(file)
    before = watch.now()
    issue(file.parent)
    watch.look()
    watch.look()
    assert watch.now().tls_context is not before.tls_context
    assert watch.now().users == before.users


def test_a_swapped_link_is_seen_as_kubernetes_does_it(file: Path):
    shutil.rmtree(file.parent / "tls")
    old, new = issue(file.parent, "old"), issue(file.parent, "new")
    (file.parent / "tls").symlink_to(old)
    watch = WebConfigReloader(file)
    before = watch.now()
    (file.parent / "next").symlink_to(new)
    (file.parent / "next").rename(file.parent / "tls")
    watch.look()
    watch.look()
    assert watch.now() is not before


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda file: file.write_text("basic_auth_users: {ann: hunter2}"), "must be a bcrypt hash"),
        (lambda file: file.write_text(""), "is empty"),
        (lambda file: file.write_text("{"), "is not valid YAML"),
        (lambda file: file.write_text("{}"), "cannot come or go while the exporter runs"),
        (lambda file: file.unlink(), "cannot be read"),
        (lambda file: (file.parent / "tls/key.pem").unlink(), "key_file: the file cannot be read"),
        (lambda file: (file.parent / "tls/cert.pem").write_text("x"), "holds no certificate"),
        (
            lambda file: shutil.copy(issue(file.parent, "other") / "key.pem", file.parent / "tls/key.pem"),
            "is not the key of cert_file",
        ),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_a_bad_version_changes_nothing_and_is_told_once(
    file: Path, break_it, told: str, caplog: pytest.LogCaptureFixture
):
    watch = WebConfigReloader(file)
    before = watch.now()
    break_it(file)
    for _ in range(5):
        watch.look()
    assert watch.now() is before
    assert len(errors(caplog)) == 1
    assert told in errors(caplog)[0]
    assert "hunter" not in caplog.text + errors(caplog)[0]


def test_after_a_bad_version_a_good_one_is_used(file: Path):
    watch = WebConfigReloader(file)
    good = file.read_text()
    for text in ("{", good.replace("ann", "bob")):
        file.write_text(text)
        watch.look()
        watch.look()
    assert list(watch.now().users) == ["bob"]


def test_a_bad_version_taken_back_is_good_again(file: Path, caplog: pytest.LogCaptureFixture):
    watch = WebConfigReloader(file)
    good = file.read_text()
    for text in ("{", good):
        file.write_text(text)
        watch.look()
        watch.look()
    assert (list(watch.now().users), len(errors(caplog))) == (["ann"], 1)


@pytest.mark.slow
def test_it_looks_by_itself(file: Path):
    watch = WebConfigReloader(file)
    watch.start()
    file.write_text(TLS + f"basic_auth_users: {{bob: {BOB}}}\n")
    wait_until("the new version", lambda: list(watch.now().users) == ["bob"])
    watch.stop()

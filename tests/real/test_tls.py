"""The exporter behind TLS and passwords, asked by curl and scraped by a real Prometheus."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

import bcrypt
import pytest
import yaml
from docs.documents import GUIDE, files
from servers import free_port, listens, need, running, wait_until
from servers.exporter import Exporter, serving, target
from servers.prometheus import job, scraping
from servers.s3 import EPOCH, S3, Part, Upload
from servers.standin import StandIn
from unit.authority import Authority

from exporter.config.problems import ConfigError
from exporter.web.auth.config import read_web_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENTS = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem"
LATE = "the web config cannot be used"


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def web_config(authority: Authority, *, tls: str = "", users: str = "", file: str = "web.yml") -> Path:
    """Write a web config, whole or not at all, with these users: `name=password …`."""
    pairs = (user.split("=") for user in users.split())
    entries = ", ".join(f"{name}: {hashed(password)}" for name, password in pairs)
    new = authority.folder / "new.yml"
    new.write_text(
        f"tls_server_config: {{cert_file: server.pem, key_file: server-key.pem{tls and f', {tls}'}}}\n"
        f"basic_auth_users: {{{entries}}}\n"
        "auth_excluded_paths: [/-/healthy, /-/ready]\n"
        "http_server_config: {headers: {Strict-Transport-Security: max-age=60}}\n"
    )
    return new.replace(authority.folder / file)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path / "pem")
    authority.issue("server")
    authority.issue("client", "prometheus.example.com")
    return authority


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    stranger = Authority(tmp_path / "stranger")
    stranger.issue("server")
    stranger.issue("client", "prometheus.example.com")
    return stranger


@pytest.fixture
def config() -> Iterator[dict[str, object]]:
    """Give a config of one bucket on a stand-in."""
    s3 = S3()
    s3.buckets["media"] = [Upload("key", "1", initiated=EPOCH, parts=[Part(1, 100)])]
    with StandIn(s3) as server:
        yield {"targets": [target("prod", server.url, "media")]}


def curl(server: Exporter | str, authority: Authority, *options: str, path: str = "/metrics") -> str:
    """Return the status of curl's answer, or why it got none: `curl 60`."""
    need("curl")
    url = server if isinstance(server, str) else server.url
    command = [
        *("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--noproxy", "*"),
        *("--max-time", "60", "--cacert", str(authority.folder / "ca.pem"), *options, url + path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    return f"curl {done.returncode}" if done.returncode else done.stdout


def shown(authority: Authority) -> tuple[str, ...]:
    """Return curl's options for showing a client certificate."""
    folder = authority.folder
    return "--cert", str(folder / "client.pem"), "--key", str(folder / "client-key.pem")


NO_HANDSHAKE = {"curl 35", "curl 55", "curl 56"}
"""When curl hears of a refusal depends on the version of TLS and on which packet it reads first."""


def test_curl_gets_in_with_the_right_password_and_certificate_only(
    authority: Authority, stranger: Authority, config: dict[str, object], tmp_path: Path
):
    file = web_config(authority, tls=CLIENTS, users="ann=secret bob=other")
    with serving(tmp_path, config, f"--web.config.file={file}") as exporter:
        ours = shown(authority)
        assert curl(exporter, authority, *ours, "--user", "ann:secret") == "200"
        assert curl(exporter, authority, *ours, "--user", "bob:other") == "200"
        assert curl(exporter, authority, *ours, "--user", "bob:secret") == "401"
        assert curl(exporter, authority, *ours, "--user", "eve:secret") == "401"
        assert curl(exporter, authority, *ours) == "401"
        assert curl(exporter, authority, *ours, path="/-/healthy") == "200"
        assert curl(exporter, authority, "--user", "ann:secret") in NO_HANDSHAKE
        assert curl(exporter, authority, "--user", "ann:secret", *shown(stranger)) in NO_HANDSHAKE
        assert curl(exporter, stranger, *ours, "--user", "ann:secret") == "curl 60"
        assert (
            curl(exporter, authority, *ours, "--tls-max", "1.1", "--ciphers", "ALL:@SECLEVEL=0")
            in NO_HANDSHAKE
        )
        assert curl(exporter, authority, *ours, "--tls-max", "1.2", "--user", "ann:secret") == "200"


def answers(url: str, authority: Authority, stranger: Authority) -> dict[str, str]:
    """Return what curl gets from a server that has this web config, by how it asks."""
    right, ours = ("--user", "ann:secret"), shown(authority)
    options = {
        "right": (*ours, *right),
        "wrong password": (*ours, "--user", "ann:wrong"),
        "unknown user": (*ours, "--user", "eve:secret"),
        "no password": ours,
        "no certificate": right,
        "wrong certificate": (*shown(stranger), *right),
        "old TLS": (*ours, *right, "--tls-max", "1.1", "--ciphers", "ALL:@SECLEVEL=0"),
    }
    found = {how: curl(url, authority, *each) for how, each in options.items()}
    found["plain HTTP"] = curl(url.replace("https", "http"), authority, *right)
    return {how: "no handshake" if answer in NO_HANDSHAKE else answer for how, answer in found.items()}


def test_prometheus_and_the_exporter_answer_alike_with_the_same_file(
    authority: Authority, stranger: Authority, config: dict[str, object], tmp_path: Path
):
    need("prometheus")
    file = web_config(authority, tls=CLIENTS, users="ann=secret")
    file.write_text(re.sub("auth_excluded_paths.*\n", "", file.read_text()))
    (tmp_path / "prometheus.yml").write_text("{}")
    port, log = free_port(), tmp_path / "prometheus.log"
    command = [
        *("prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--web.config.file={file}"),
        *(f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address=127.0.0.1:{port}"),
    ]
    with running(command, log), serving(tmp_path, config, f"--web.config.file={file}") as exporter:
        theirs = f"https://127.0.0.1:{port}"
        wait_until("prometheus", lambda: listens(port), log=log)
        assert answers(theirs, authority, stranger) == answers(exporter.url, authority, stranger)
        assert answers(exporter.url, authority, stranger) == {
            "right": "200",
            **dict.fromkeys(("wrong password", "unknown user", "no password"), "401"),
            **dict.fromkeys(("no certificate", "wrong certificate", "old TLS"), "no handshake"),
            "plain HTTP": "400",
        }


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("{}", True),
        ("TLS", True),
        (
            "TLS  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n  curve_preferences: [X25519]\n",
            True,
        ),
        ("TLS  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n", True),
        ("http_server_config: {http2: false, headers: {X-Frame-Options: deny}}\n", True),
        ("basic_auth_users: {ann: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}\n", True),
        ("basic_auth_users: {ann: secret}\n", False),
        ("TLS  client_ca_file: ca.pem\n", False),
        ("TLS  client_auth_type: Sometimes\n", False),
        ("TLS  min_version: SSL3\n", False),
        ("TLS  cipher_suites: [TLS_NO_SUCH]\n", False),
        ("tls_server_config: {cert_file: server.pem}\n", False),
        ("tls_server_config: {cert_file: server.pem, key_file: client-key.pem}\n", False),
        ("tls_server_config: {cert_file: no.pem, key_file: server-key.pem}\n", False),
        ("http_server_config: {headers: {X-Other: a}}\n", False),
        ("http_server_config: {headers: {X-Frame-Options: maybe}}\n", False),
        ("unknown: 1\n", False),
    ],
)
def test_promtool_finds_the_same_files_valid(authority: Authority, text: str, valid: object):
    need("promtool")
    pair = "tls_server_config:\n  cert_file: server.pem\n  key_file: server-key.pem\n"
    file = authority.folder / "web.yml"
    file.write_text(text.replace("TLS  ", f"{pair}  ") if text != "TLS" else pair)
    done = subprocess.run(
        ["promtool", "check", "web-config", file], capture_output=True, timeout=60, check=False
    )
    try:
        read_web_config(file, {})
        ours = True
    except ConfigError:
        ours = False
    assert (done.returncode == 0, ours) == (valid, valid)


def test_it_stops_at_once_while_passwords_are_checked(
    authority: Authority, config: dict[str, object], tmp_path: Path
):
    file = web_config(authority, users="ann=secret")
    costly = bcrypt.hashpw(b"other", bcrypt.gensalt(15)).decode()
    file.write_text(file.read_text().replace("basic_auth_users: {", f"basic_auth_users: {{bob: {costly}, "))
    log = tmp_path / "curl.log"
    with ExitStack() as clients, serving(tmp_path, config, f"--web.config.file={file}") as exporter:
        for number in range(6):
            told = ("--output", "/dev/null", "--write-out", "%{http_code} ")
            command = ["curl", "-sk", "--noproxy", "*", "-u", f"bob:{number}", *told, exporter.url]
            clients.enter_context(running(command, log))
        wait_until("four checks under way", lambda: "429" in log.read_text())
    assert "traceback" not in exporter.log.read_text()


def test_plain_http_on_the_tls_port_ends_at_once(
    authority: Authority, config: dict[str, object], tmp_path: Path
):
    file = web_config(authority, users="ann=secret")
    with serving(tmp_path, config, f"--web.config.file={file}") as exporter:
        command = ["curl", "-si", "--noproxy", "*", "-u", "ann:secret", exporter.url.replace("https", "http")]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        assert answer.startswith("HTTP/1.1 400 Bad Request")
        assert answer.endswith("400 this is HTTPS: ask with https://\n")


def test_answers_have_the_headers_of_the_file(
    authority: Authority, config: dict[str, object], tmp_path: Path
):
    file = web_config(authority, users="ann=secret")
    with serving(tmp_path, config, f"--web.config.file={file}") as exporter:
        command = ["curl", "-sI", "--noproxy", "*", "--cacert", str(authority.folder / "ca.pem")]
        for address in (exporter.url, f"{exporter.url}/-/healthy"):
            done = subprocess.run([*command, address], capture_output=True, text=True, timeout=60, check=True)
            assert "\nstrict-transport-security: max-age=60\n" in done.stdout.lower()


def test_prometheus_gets_in_with_the_right_password_and_certificate_only(
    authority: Authority, stranger: Authority, config: dict[str, object], tmp_path: Path
):
    need("prometheus")
    file = web_config(authority, tls=CLIENTS, users="ann=secret")

    def tls(issuer: Authority | None, **settings: object) -> dict[str, object]:
        folder = issuer and issuer.folder
        pair = {"cert_file": f"{folder}/client.pem", "key_file": f"{folder}/client-key.pem"} if folder else {}
        return {"ca_file": f"{authority.folder}/ca.pem", **pair, **settings}

    right = {"username": "ann", "password": "secret"}
    with serving(tmp_path, config, f"--web.config.file={file}") as exporter:
        url = f"{exporter.url}/metrics"
        jobs = [
            job(url, "right", basic_auth=right, tls_config=tls(authority)),
            job(url, "wrong password", basic_auth=right | {"password": "x"}, tls_config=tls(authority)),
            job(url, "unknown user", basic_auth=right | {"username": "eve"}, tls_config=tls(authority)),
            job(url, "no password", tls_config=tls(authority)),
            job(url, "no certificate", basic_auth=right, tls_config=tls(None)),
            job(url, "wrong certificate", basic_auth=right, tls_config=tls(stranger)),
            job(url, "old TLS", basic_auth=right, tls_config=tls(authority, max_version="TLS11")),
            job(url.replace("https", "http"), "plain HTTP", basic_auth=right),
        ]
        with scraping(*jobs) as prometheus:
            prometheus.wait_for("up", lambda series: len(series) == len(jobs))
            prometheus.wait_for('mpu_uploads_in_progress{job="right"} == 1')
            up = {labels["job"]: value for labels, value in prometheus.query("up")}
            errors = prometheus.errors()
        assert {name for name, value in up.items() if value} == {"right"}
        assert errors["right"] == ""
        for name in ("wrong password", "unknown user", "no password"):
            assert "401 Unauthorized" in errors[name]
        assert "400 Bad Request" in errors["plain HTTP"]
        for name in ("no certificate", "wrong certificate", "old TLS"):
            assert "tls: " in errors[name] or "reset" in errors[name]


def test_changes_are_picked_up_without_a_restart(
    authority: Authority, stranger: Authority, config: dict[str, object], tmp_path: Path
):
    file = web_config(authority, tls=CLIENTS, users="ann=secret")
    with serving(tmp_path, config, f"--web.config.file={file}") as exporter:
        ann = (*shown(authority), "--user", "ann:secret")
        bob = (*shown(authority), "--user", "bob:new")
        assert (curl(exporter, authority, *ann), curl(exporter, authority, *bob)) == ("200", "401")

        web_config(authority, tls=CLIENTS, users="bob=new")  # users
        wait_until("bob", lambda: curl(exporter, authority, *bob) == "200", log=exporter.log)
        assert curl(exporter, authority, *ann) == "401"

        (authority.folder / "ca.pem").rename(authority.folder / "old-ca.pem")  # client CA
        (authority.folder / "ca.pem").write_bytes((stranger.folder / "ca.pem").read_bytes())
        trusting = ("--cacert", str(authority.folder / "old-ca.pem"))
        theirs = (*shown(stranger), *trusting, "--user", "bob:new")
        wait_until("their CA", lambda: curl(exporter, authority, *theirs) == "200", log=exporter.log)
        assert curl(exporter, authority, *bob, *trusting) in NO_HANDSHAKE

        for name in ("server.pem", "server-key.pem"):  # certificate
            (authority.folder / name).write_bytes((stranger.folder / name).read_bytes())
        renewed = (*shown(stranger), "--user", "bob:new")
        wait_until("certificate", lambda: curl(exporter, stranger, *renewed) == "200", log=exporter.log)
        assert curl(exporter, authority, *theirs) == "curl 60"


def test_a_bad_change_is_kept_out_and_told_once(
    authority: Authority, config: dict[str, object], tmp_path: Path
):
    file = web_config(authority, users="ann=secret")
    with serving(tmp_path, config, f"--web.config.file={file}") as exporter:
        file.write_text("basic_auth_users: {ann: secret}\n")
        wait_until("the refusal", lambda: LATE in exporter.log.read_text(), log=exporter.log)
        for _ in range(3):
            assert curl(exporter, authority, "--user", "ann:secret") == "200"
            assert curl(exporter, authority, "--user", "ann:wrong") == "401"
        web_config(authority, users="bob=new")
        wait_until("bob", lambda: curl(exporter, authority, "--user", "bob:new") == "200", log=exporter.log)
        log = exporter.log.read_text()
        assert log.count(LATE) == 1
        assert "web.yml:1: basic_auth_users.ann: must be a bcrypt hash" in log
        assert "secret" not in log


def test_a_flood_of_wrong_passwords_leaves_the_others_alone(
    authority: Authority, config: dict[str, object], tmp_path: Path
):
    file = web_config(authority, users="ann=secret")
    costly = bcrypt.hashpw(b"other", bcrypt.gensalt(12)).decode()
    file.write_text(file.read_text().replace("basic_auth_users: {", f"basic_auth_users: {{bob: {costly}, "))
    answers: Counter[str] = Counter()
    over = threading.Event()
    with serving(tmp_path, config, f"--web.config.file={file}") as exporter:
        assert curl(exporter, authority, "--user", "ann:secret") == "200"

        def flood(number: int) -> None:
            for attempt in range(1000):
                if over.is_set():
                    return
                answers[curl(exporter, authority, "--user", f"bob:{number}-{attempt}")] += 1

        flooding = [threading.Thread(target=flood, args=(number,)) for number in range(12)]
        for thread in flooding:
            thread.start()
        try:
            wait_until("the flood", lambda: answers.total() > 20)
            for _ in range(5):
                assert curl(exporter, authority, "--user", "ann:secret") == "200"
                assert curl(exporter, authority, path="/-/healthy") == "200"
        finally:
            over.set()
            for thread in flooding:
                thread.join()
    assert answers["401"]
    assert answers.keys() <= {"401", "429"}


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_web_config_that_is_wrong_is_told_with_exit_code_1(
    command: str, authority: Authority, config: dict[str, object], tmp_path: Path
):
    file, own = tmp_path / "web.yml", tmp_path / "config.yaml"
    file.write_text("tls_server_config: {cert_file: no.pem}\nusers: {}\n")
    own.write_text(yaml.safe_dump(config))
    line = [sys.executable, "-m", "exporter", command, f"--config.file={own}", f"--web.config.file={file}"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 3)
    assert f"{file}:1: tls_server_config.key_file: is required" in done.stderr
    assert f"{file}:1: tls_server_config.cert_file: the file cannot be read" in done.stderr
    assert f"{file}:2: users: unknown key" in done.stderr


def test_check_tells_what_is_wrong_with_both_files(tmp_path: Path):
    file, own = tmp_path / "web.yml", tmp_path / "config.yaml"
    file.write_text("users: {}\n")
    own.write_text("goals: []\n")
    line = [sys.executable, "-m", "exporter", "check", f"--config.file={own}", f"--web.config.file={file}"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert {line.split(":")[0] for line in done.stderr.splitlines()} == {str(own), str(file)}


def test_check_tells_that_both_are_valid(authority: Authority, config: dict[str, object], tmp_path: Path):
    file, own = web_config(authority, users="ann=secret"), tmp_path / "config.yaml"
    own.write_text(yaml.safe_dump(config))
    line = [sys.executable, "-m", "exporter", "check", f"--config.file={own}", f"--web.config.file={file}"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:] == [f"{file}: valid; TLS, users: 1"]


def test_the_example_of_the_guide_works_as_it_stands(
    authority: Authority, config: dict[str, object], tmp_path: Path
):
    need("prometheus")
    page = GUIDE["operations"]
    [web], [scrape] = files(page, "web.yml"), files(page, "prometheus-tls.yml")
    folder = authority.folder
    names = {"server.pem": "tls.crt", "server-key.pem": "tls.key", "client.pem": "client.crt"}
    names |= {"client-key.pem": "client.key"}
    for ours, theirs in names.items():
        (folder / ours).rename(folder / theirs)
    for name in ("client-ca.crt", "ca.crt"):
        (folder / name).write_bytes((folder / "ca.pem").read_bytes())
    (folder / "web.yml").write_text(web)
    (folder / "password").write_text("correct horse")
    with serving(tmp_path, config, f"--web.config.file={folder / 'web.yml'}") as exporter:
        [example] = yaml.safe_load(scrape)["scrape_configs"]
        example["static_configs"] = [{"targets": [exporter.url.removeprefix("https://")]}]
        example["basic_auth"]["password_file"] = str(folder / "password")
        example["tls_config"] = {key: str(folder / name) for key, name in example["tls_config"].items()}
        with scraping(example) as prometheus:
            prometheus.wait_for("mpu_uploads_in_progress == 1")
            assert prometheus.errors() == {"mpu-exporter": ""}

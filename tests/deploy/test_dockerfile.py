"""The Dockerfile, by hadolint and by what it promises. `test_image.py` builds and runs it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.credentials
import botocore.tokens
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
LINES = re.sub(r"\\\n", "", (ROOT / "Dockerfile").read_text()).splitlines()
INSTRUCTIONS = [tuple(line.split(None, 1)) for line in LINES if re.match(r"[A-Z]+ ", line)]
BUILD, RUNTIME = (
    INSTRUCTIONS[start:end]
    for places in [[n for n, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM"]]
    for start, end in [(places[0], places[1]), (places[1], None)]
)


def runtime(word: str) -> list[str]:
    return [rest for found, rest in RUNTIME if found == word]


def test_hadolint_finds_nothing():
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    assert hadolint, "hadolint comes with the test extra"
    run = subprocess.run(
        [hadolint, "--no-color", "--failure-threshold", "warning", str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "")


def test_the_base_can_be_chosen_and_no_digest_is_made_up():
    bases = [rest.split()[0] for word, rest in INSTRUCTIONS if word == "FROM"]
    assert bases == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]
    assert INSTRUCTIONS[0][0] == "ARG"
    assert re.fullmatch(r"PYTHON_IMAGE=docker\.io/library/python:3\.\d+-slim", INSTRUCTIONS[0][1])


def test_the_result_has_no_build_tools():
    """Only the finished environment crosses over, and nothing is installed in the last stage."""
    assert runtime("COPY") == ["--from=build /opt/mpu-exporter /opt/mpu-exporter"]
    assert not [rest for rest in runtime("RUN") if re.search(r"\b(pip3? install|apt|apt-get|gcc)\b", rest)]
    assert "--without-pip /opt/mpu-exporter" in str(BUILD)


def test_runs_as_a_number_that_is_not_root():
    assert runtime("USER") == ["65532:65532"]


def test_starts_without_a_shell_and_ends_on_sigterm():
    assert [json.loads(rest) for rest in runtime("ENTRYPOINT")] == [["mpu-exporter"]]
    assert [json.loads(rest) for rest in runtime("CMD")] == [
        ["serve", "--config.file=/etc/mpu-exporter/config.yaml"]
    ]
    assert runtime("STOPSIGNAL") == ["SIGTERM"]


def test_environment():
    environment = dict(pair.split("=", 1) for rest in runtime("ENV") for pair in rest.split())
    assert environment == {
        "PATH": "/opt/mpu-exporter/bin:$PATH",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def test_health_is_asked_on_the_port_that_is_exposed():
    (port,) = runtime("EXPOSE")
    (check,) = runtime("HEALTHCHECK")
    shell, option, program = json.loads(check.split(" CMD ", 1)[1])
    assert (shell, option) == ("bash", "-c")
    assert f"/dev/tcp/127.0.0.1/{port} " in program
    assert "'GET /-/healthy " in program


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Answer every request so, on the port that is returned."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/-/healthy" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [200, 401, 404, 503])
def test_health_is_what_the_server_answers_and_no_python_is_started(status: int, tmp_path: Path):
    """The program as it stands, where there is nothing but bash."""
    (check,) = runtime("HEALTHCHECK")
    *_, program = json.loads(check.split(" CMD ", 1)[1])
    with answering(status) as port:
        here = program.replace("/19340 ", f"/{port} ")
        bash = shutil.which("bash")
        assert bash
        done = subprocess.run([bash, "-c", here], env={"PATH": str(tmp_path)}, timeout=30, check=False)
    assert (done.returncode == 0) == (status in {200, 401})  # 401: it serves, and asks for a password


def test_labels_tell_version_and_revision():
    (labels,) = runtime("LABEL")
    assert 'org.opencontainers.image.version="${VERSION}"' in labels
    assert 'org.opencontainers.image.revision="${REVISION}"' in labels
    assert 'org.opencontainers.image.licenses="Apache-2.0"' in labels


def test_the_build_sees_all_that_the_package_needs_and_nothing_else():
    lines = (ROOT / ".dockerignore").read_text().split()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {name for word, rest in BUILD if word == "COPY" for name in rest.split()[:-1]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "*" in lines
    assert allowed == copied
    assert {"pyproject.toml", project["readme"], *project["license-files"]} < copied


def test_the_services_that_the_aws_sdk_asks_for_keys_stay():
    """The build throws away the descriptions of all others: hundreds, 20 MB."""
    text = "".join(Path(module.__file__).read_text() for module in (botocore.credentials, botocore.tokens))
    asked = re.findall(r"client\w*\(\s*(?:[\w.]+,\s*)?[\"']([a-z-]+)[\"']", text)
    kept = re.findall(r"! -name ([a-z0-9-]+)", str(BUILD))
    assert sorted({*asked, "glacier", "s3"}) == kept

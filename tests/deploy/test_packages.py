"""tests/servers/packages.sh beside another package manager: the real apt, in folders of its own."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "servers/packages.sh"
NEED = "/no/such/file=no-such-package"

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("apt-get"), reason="needs root and apt-get"),
]


@pytest.fixture
def apt_folder(tmp_path):
    """Return the folder of an apt that knows no package, and of the lock that its `update` takes."""
    (tmp_path / "lists/partial").mkdir(parents=True)
    (tmp_path / "status").touch()
    (tmp_path / "apt.conf").write_text(
        f'Dir::State::lists "{tmp_path}/lists"; Dir::State::status "{tmp_path}/status";\n'
        f'Dir::Cache "{tmp_path}"; Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "/dev/null";\n'
    )
    return tmp_path


def install(apt_folder, wait_seconds):
    environment = {**os.environ, "APT_CONFIG": str(apt_folder / "apt.conf"), "LOCK_WAIT": str(wait_seconds)}
    return subprocess.Popen([SCRIPT, NEED], env=environment, stderr=subprocess.PIPE, text=True)


def lines_until(process, text):
    for line in process.stderr:
        if text in line:
            return line
    pytest.fail(f"it never said {text!r}")


def test_it_waits_for_another_package_managers_lock_and_then_installs(apt_folder):
    with (apt_folder / "lists/lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        process = install(apt_folder, 60)
        lines_until(process, "waiting up to 60 s for another package manager")
    with process:
        lines_until(process, "Unable to locate package no-such-package")
    assert process.returncode == 1


def test_a_lock_that_is_never_freed_ends_the_wait_with_its_own_exit_code(apt_folder):
    with (apt_folder / "lists/lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        with install(apt_folder, 0) as process:
            lines_until(process, "Another package manager is still at work")
    assert process.returncode == 75

"""What the shells complete, asked of a real bash and a real zsh."""

import subprocess
import sys
from pathlib import Path

import pytest
from servers import need

from exporter.cli import main as cli

# completes the last word as an interactive bash does, which takes = for a word of its own
_ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
"$(complete -p mpu-exporter | sed 's/.* -F //; s/ .*//')" mpu-exporter "${COMP_WORDS[COMP_CWORD]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    for shell in ("bash", "zsh"):
        command = [sys.executable, "-m", "exporter", "completion", shell]
        done = subprocess.run(command, capture_output=True, timeout=60, check=True)
        (folder / shell).write_bytes(done.stdout)
    return folder


def completed(scripts: Path, *words: str, folder: Path | None = None) -> set[str]:
    command = ["bash", "--norc", "-c", _ASK, "-", str(scripts / "bash"), "mpu-exporter", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=folder)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_commands(scripts: Path):
    assert set(cli.COMMANDS) <= completed(scripts, "")
    assert completed(scripts, "up") == {"uploads"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["scan", "--config."], {"--config.file"}),
        (["serve", "--config."], {"--config.file", "--config.watch"}),
        (["uploads", "--older"], {"--older-than"}),
        (["scan", "--format", ""], {"table", "json", "prometheus"}),
        (["uploads", "--sort", "b"], {"bytes"}),
        (["serve", "--log.level", "w"], {"warning"}),
        (["completion", ""], {"bash", "zsh"}),
        (["config", ""], {"example", "schema"}),
        (["config", "--store", ""], {"s3", "obs", "glacier"}),
    ],
)
def test_flags_with_dots_and_their_values(scripts: Path, words: list[str], expected: set[str]):
    assert completed(scripts, *words) >= expected
    assert all(word.startswith(words[-1]) for word in completed(scripts, *words))


def test_files(scripts: Path, tmp_path: Path):
    (tmp_path / "config-of-mine.yaml").touch()
    assert completed(scripts, "check", "--config.file", "conf", folder=tmp_path) == {"config-of-mine.yaml"}


@pytest.mark.server
def test_zsh_finds_its_script_and_knows_every_flag(scripts: Path, tmp_path: Path):
    need("zsh")
    text = (scripts / "zsh").read_text()
    (tmp_path / "_mpu-exporter").write_text(text)
    ask = 'fpath=("$1" $fpath); autoload -Uz compinit; compinit -D; print -r -- ${_comps[mpu-exporter]}'
    command = ["zsh", "-f", "-c", f"{ask}; autoload +X _mpu-exporter", "-", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("_mpu-exporter\n", "")
    for flag in ("--config.file", "--web.listen-address", "--older-than"):
        assert flag in text

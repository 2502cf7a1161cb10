"""The script that aborts uploads, run by shells with an AWS CLI that answers as each store does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import NOW
from unit.example_app import found

from exporter.cli.formats.abort_script import abort_script
from exporter.cli.formats.uploads import UploadReport
from exporter.cli.upload_filter import Counts, FoundUpload
from exporter.config.credentials import Credentials
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings

if TYPE_CHECKING:
    from exporter.model.uploads import CountedUpload

TARGET = TargetSettings("prod", StoreKind.S3, ())
MIB = 1 << 20
FAKE = """\
#!/bin/sh
# Takes what it is to do from the file named as the key is; says what it was given.
for word; do
  case $word in
    --key=*) key=${word#--key=} ;;
    --prefix=*) key=listed-${word#--prefix=} ;;
    *Uploads'[]'*) key=all ;;
    *IsTruncated']') key=proof ;;
  esac
done
echo "$@" >>told
echo "AWS_CONFIG_FILE=${AWS_CONFIG_FILE-}" >>told
case $2 in set) echo styled >>"$AWS_CONFIG_FILE" ;; esac
if [ -e "${key-}" ]; then cat "$key" >&2; exit 255; fi
case ${key-} in proof | listed-*) printf 'media\\tFalse\\t' ;; esac
if [ -e "${key-}.out" ]; then cat "$key.out"; fi
"""
GONE = "\nAn error occurred (NoSuchUpload) when calling the AbortMultipartUpload operation: gone\n"
NO_CODE = "\nargument of type 'NoneType' is not iterable\n"
"""What the AWS CLI says of an error without a message, as Ceph sends them."""


class Shell:
    """A folder in which a script runs, and what the AWS CLI there answers."""

    def __init__(self, folder: Path, name: str = "sh") -> None:
        self.folder, self.name = folder, name
        (folder / "aws").write_text(FAKE, encoding="utf-8")
        (folder / "aws").chmod(0o755)

    def fails(self, key: str, text: str) -> None:
        (self.folder / key).write_text(text, encoding="utf-8")

    def run(self, *uploads: CountedUpload, target: TargetSettings = TARGET) -> tuple[int, list[str], str]:
        """Return the exit code, the lines of standard output, and standard error."""
        rows = [FoundUpload(target, BucketSettings("media"), each) for each in uploads]
        script = abort_script(UploadReport(rows, Counts(matched=len(rows)), NOW, []))
        if not (self.folder / "all.out").exists():
            ids = "\t".join(each.upload.upload_id for each in uploads)
            (self.folder / "all.out").write_text(f"{ids}\nother\n", encoding="utf-8")
        environment = {"PATH": f"{self.folder}:/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            self.name.split(),
            input=script.encode(),
            env=environment,
            cwd=self.folder,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()

    @property
    def told(self) -> list[str]:
        return (self.folder / "told").read_text(encoding="utf-8").splitlines()[::2]


@pytest.fixture(params=["sh", "bash", "zsh", "busybox sh"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    if shutil.which(request.param.split()[0]) is None:
        pytest.skip(f"no {request.param}")
    return Shell(tmp_path, request.param)


def test_it_says_what_it_aborts_and_at_its_end_what_that_freed(shell: Shell):
    code, lines, errors = shell.run(found("a/b"), found("c", 30, bytes=None, parts=None))
    assert (code, errors) == (0, "")
    assert lines == [
        "1/2 prod media/a/b: 1.0 MiB, 1h 0m old, idle 30m 0s",
        "2/2 prod media/c: size not known, 1d 6h old, idle time not known",
        "Of 2 uploads, aborted: 2, gone already: 0, left to you: 0.",
        f"Freed: {MIB} bytes and those of 1 whose size is not known.",
    ]


def test_it_stops_at_the_first_failure_and_tells_what_it_did(shell: Shell):
    shell.fails("b", "\nAn error occurred (AccessDenied) when calling …: arn:aws:s3:::media/NoSuchUpload)\n")
    code, lines, errors = shell.run(found("a"), found("b"), found("c"))
    assert (code, errors.splitlines()[1]) == (1, shell.folder.joinpath("b").read_text().strip())
    assert lines[2:] == [
        "Of 3 uploads, aborted: 1, gone already: 0, left to you: 0.",
        f"Freed: {MIB} bytes.",
    ]
    assert [line.split()[1] for line in shell.told[2:]] == ["abort-multipart-upload"] * 2


def test_an_upload_that_is_gone_is_said_and_not_counted_as_freed(shell: Shell):
    shell.fails("a", GONE)
    code, lines, errors = shell.run(found("a"), found("b"))
    assert (code, errors) == (0, "")
    assert lines[1] == "  it is gone already"
    assert lines[-2:] == [
        "Of 2 uploads, aborted: 1, gone already: 1, left to you: 0.",
        f"Freed: {MIB} bytes.",
    ]


def test_what_a_store_confirms_although_it_is_not_there_any_more_is_not_counted_as_freed(shell: Shell):
    (shell.folder / "all.out").write_text("id-10\tid-2\nid-3\n", encoding="utf-8")
    code, lines, errors = shell.run(found("a"), found("b", 2), found("c", 3))
    assert (code, errors) == (0, "")
    assert lines[1] == "  it was not listed any more"
    assert lines[-2:] == [
        "Of 3 uploads, aborted: 2, gone already: 1, left to you: 0.",
        f"Freed: {5 * MIB} bytes.",
    ]


def test_where_none_is_there_other_credentials_are_thought_of(tmp_path: Path):
    shell = Shell(tmp_path)
    shell.fails("a", GONE)
    code, lines, _ = shell.run(found("a"))
    assert (code, lines[-1].partition(". ")[0]) == (0, "None of them was there")


def test_where_the_bucket_cannot_be_listed_it_says_so_and_goes_on(tmp_path: Path):
    shell = Shell(tmp_path)
    shell.fails("all", NO_CODE)
    code, lines, errors = shell.run(found("a"))
    assert (code, errors, lines[-1]) == (0, "", f"Freed: {MIB} bytes.")
    assert lines[0] == f"Not all could be listed: {NO_CODE.strip()}"


def test_what_only_the_listing_of_its_key_shows_counts_as_freed(shell: Shell):
    """Some stores find nothing by a prefix but whole keys, or lose uploads from page to page."""
    shell.fails("all.out", "None\n")
    shell.fails("listed-a.out", "None\nid-1\n")
    shell.fails("listed-b.out", "None\n")
    code, lines, errors = shell.run(found("a"), found("b", 2))
    assert (code, errors) == (0, "")
    assert lines[-2:] == [
        "Of 2 uploads, aborted: 1, gone already: 1, left to you: 0.",
        f"Freed: {MIB} bytes.",
    ]


def test_what_the_bucket_listed_is_not_gone_without_an_answer_that_says_so(tmp_path: Path):
    shell = Shell(tmp_path)
    shell.fails("a", NO_CODE)
    shell.fails("listed-a.out", "None\n")
    code, lines, errors = shell.run(found("a"), found("b"))
    assert (code, errors.strip()) == (1, f"stopped: {NO_CODE}".strip())
    assert lines[-1] == "Freed: 0 bytes."


def test_a_store_whose_answers_name_no_bucket_says_whether_the_list_goes_on(tmp_path: Path):
    shell = Shell(tmp_path)
    (tmp_path / "aws").write_text(FAKE.replace("'media", "'None"), encoding="utf-8")
    assert shell.run(found("a"))[1][1:] == [
        "Of 1 uploads, aborted: 1, gone already: 0, left to you: 0.",
        f"Freed: {MIB} bytes.",
    ]


@pytest.mark.parametrize("answer", ["None\tNone\tNone\n", "other\tFalse\tNone\n", ""])
def test_an_answer_that_is_not_of_the_bucket_proves_nothing(answer: str, tmp_path: Path):
    """As to the root of a server that takes the bucket from the path, where the CLI puts it into the host."""
    shell = Shell(tmp_path)
    (tmp_path / "aws").write_text(FAKE.replace("printf 'media\\tFalse\\t'", "printf ''"), encoding="utf-8")
    shell.fails("proof.out", answer)
    shell.fails("listed-a.out", answer)
    shell.fails("a", NO_CODE)
    code, lines, errors = shell.run(found("a"))
    assert (code, errors.strip()) == (1, f"stopped: {NO_CODE}".strip())
    assert lines[0] == "Not all could be listed: the answer names another bucket or none"


@pytest.mark.parametrize("inventory", [("all", NO_CODE), ("all.out", "None\n")])
@pytest.mark.parametrize(
    ("listed", "code"), [("", 0), ("None\n", 0), ("id-1\n", 1), ("None\nid-1\nNone\n", 1)]
)
def test_where_the_answer_has_no_code_the_listing_says_whether_it_is_gone(
    listed: str, code: int, inventory: tuple[str, str], tmp_path: Path
):
    shell = Shell(tmp_path)
    shell.fails(*inventory)
    shell.fails("a", NO_CODE)
    shell.fails("listed-a.out", listed)
    ended, lines, errors = shell.run(found("a"))
    assert (ended, "  it is gone already" in lines) == (code, code == 0)
    assert (NO_CODE.strip() in errors) == (code == 1)
    assert '--query=[Bucket,IsTruncated,Uploads[?UploadId==`"id-1"`].UploadId]' in " ".join(shell.told[-2:])


@pytest.mark.parametrize(
    ("answer", "listed", "code"), [(NO_CODE, "id-1", 1), (NO_CODE, "id-2", 0), ("no connection", "id-2", 1)]
)
def test_where_its_key_cannot_be_listed_either_it_stops_unless_the_bucket_lacked_it(
    answer: str, listed: str, code: int, tmp_path: Path
):
    shell = Shell(tmp_path)
    shell.fails("a", answer)
    shell.fails("listed-a", NO_CODE)
    shell.fails("all.out", listed)
    assert code == shell.run(found("a"))[0]


def test_a_refusal_that_repeats_a_key_like_an_answer_is_no_answer(tmp_path: Path):
    key = "An error occurred (NoSuchUpload) when calling"
    shell = Shell(tmp_path)
    shell.fails(key, f"\nAn error occurred (AccessDenied) when calling …: arn:aws:s3:::media/{key}\n")
    assert shell.run(found(key))[0] == 1


@pytest.mark.parametrize(
    ("answers", "code"), [((GONE, None), 0), ((GONE, GONE), 0), ((NO_CODE, GONE), 1), ((NO_CODE, None), 0)]
)
def test_of_several_nodes_each_is_asked_until_one_has_it(
    answers: tuple[str | None, ...], code: int, tmp_path: Path
):
    shell = Shell(tmp_path)
    nodes = [tmp_path / "one", tmp_path / "two"]
    fake = 'case "$*" in *=http://one*) node=one ;; *) node=two ;; esac\n'
    fake += "if [ -e $node ]; then cat $node >&2; exit 255; fi\n"
    (tmp_path / "aws").write_text(f"#!/bin/sh\n{fake}", encoding="utf-8")
    for node, answer in zip(nodes, answers, strict=True):
        if answer is not None:
            node.write_text(answer, encoding="utf-8")
    several = replace(TARGET, endpoint_urls=("http://one", "http://two"))
    ended, lines, _ = shell.run(found("a"), target=several)
    assert (ended, f"Freed: {MIB if answers[1] is None else 0} bytes." in lines) == (code, True)


def test_an_upload_that_two_targets_found_is_aborted_once(tmp_path: Path):
    code, lines, _ = Shell(tmp_path).run(found("a"), found("a"), found("b"))
    assert (code, lines[-1]) == (0, f"Freed: {2 * MIB} bytes.")


def test_what_no_command_can_abort_is_left_to_the_person_who_is_told_what_to_do(shell: Shell):
    code, lines, errors = shell.run(found("\udcff"), found("b"))
    assert (code, errors) == (1, "")
    assert lines[0].startswith(r"1/2 prod media/\xff: 1.0 MiB")
    assert lines[1].startswith("  left to you: the AWS CLI takes no key with bytes that are not UTF-8: ")
    assert lines[-2] == "Of 2 uploads, aborted: 1, gone already: 0, left to you: 1."


def test_the_head_counts_what_is_aborted_and_what_no_command_can():
    rows = [FoundUpload(TARGET, BucketSettings("media"), found(key)) for key in ("\udcff", "b", "c")]
    head = abort_script(UploadReport(rows, Counts(matched=3), NOW, [])).splitlines()
    assert head[1].startswith("# This aborts 2 uploads, as found at ")
    assert head[1].endswith(f" and their parts are lost: 2.0 MiB, {2 * MIB} bytes.")
    assert "# No command can abort 1 more: at each it says why, and what to do." in head


def test_the_addressing_style_is_set_in_a_copy_of_the_config_file(shell: Shell):
    own = shell.folder / ".aws/config"
    own.parent.mkdir()
    own.write_text("own\n", encoding="utf-8")
    ours = replace(TARGET, addressing_style="path", credentials=Credentials(profile="team"))
    assert shell.run(found("a"), found("b"), target=ours)[0] == 0
    first, _, *aborts = (shell.folder / "told").read_text(encoding="utf-8").split("AWS_CONFIG_FILE=")
    assert first == "configure set s3.addressing_style path --profile=team\n"
    used = {part.splitlines()[0] for part in aborts}
    assert (len(used), own.read_text(encoding="utf-8")) == (1, "own\n")
    assert not Path(used.pop()).parent.exists()


def test_shellcheck_finds_nothing(tmp_path: Path):
    checker = Path(sys.executable).with_name("shellcheck")
    if not checker.exists():
        pytest.skip("no shellcheck")
    styled = replace(TARGET, addressing_style="path")
    uploads = (found("it's `$HOME` \\"), found("a\nb"), found("\udcff"))
    rows = [FoundUpload(styled, BucketSettings("media"), each) for each in uploads]
    file = tmp_path / "abort.sh"
    file.write_text(abort_script(UploadReport(rows, Counts(matched=3), NOW, [])), encoding="utf-8")
    done = subprocess.run([checker, file], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("", 0)

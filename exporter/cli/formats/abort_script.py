"""Uploads as a shell script of the commands that abort them, for a person to read and to run.

Keys come from whoever uploads, so every text is one printable word in single quotes, which no shell reads
anything into, and comments hold none of them: an interactive zsh runs comments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.upload_filter import UploadSelection
from exporter.model.errors import Failure
from exporter.model.uploads import age_at
from exporter.stores.abort_command import abort_commands
from exporter.text.humanize import human_bytes, human_seconds, utc_text
from exporter.text.quoting import one_line, shell_quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.cli.formats.uploads import UploadReport
    from exporter.cli.upload_filter import FoundUpload
    from exporter.model.abort import AbortCommand, Words

_HEAD = """\
#!/bin/sh
# This aborts {number:,} uploads, as found at {when} UTC, and their parts are lost: {size}.
# Read it, then run it with credentials of your own that may abort and list uploads: sh FILE. It stops at the
# first failure, and can be run again. mpu-exporter, which wrote it, never aborts an upload by itself.
# shellcheck disable=SC1003,SC2016 # keys stand in single quotes, so that nothing in them is expanded
"""
_FUNCTIONS = """\
set -eu
total={number} aborted=0 absent=0 left=0 freed=0 unsized=0
failure='' listed='' found='' bucket='' id='' truncated=''
scratch=$(mktemp -d)

finish() {{ # tells what was done, however it ended
  code=$?
  rm -rf "$scratch"
  if [ "$code" = 0 ] && [ "$left" != 0 ]; then code=1; fi
  more=''
  [ "$unsized" = 0 ] || more=" and those of $unsized whose size is not known"
  echo "Of $total uploads, aborted: $aborted, gone already: $absent, left to you: $left."
  echo "Freed: $freed bytes$more."
  if [ "$absent" = "$total" ]; then
    echo 'None of them was there. Unless this was run before, the credentials are of another account.'
  fi
  exit "$code"
}}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

of_bucket() {{ # NAME: whether $scratch/words answers about that bucket, '' for any; words go to $scratch/ids
  answered='' truncated=None
  tr '\\t' '\\n' <"$scratch/words" >"$scratch/ids"
  {{ IFS= read -r answered && IFS= read -r truncated; }} <"$scratch/ids" || true
  case $answered in
    None) [ "$truncated" != None ] ;; # some name none, but say whether the list goes on
    '') false ;;
    "${{1:-$answered}}") ;;
    *) false ;;
  esac
}}

proven() {{ # NAME COMMAND...: whether the bucket of that name is what a listing is about
  name=$1
  shift
  if ! "$@" </dev/null >"$scratch/words" 2>"$scratch/errors"; then
    unlisted "$(tail -n 1 "$scratch/errors")"
  elif ! of_bucket "$name"; then
    unlisted 'the answer names another bucket or none'
  fi
}}

inventory() {{ # NUMBER COMMAND...: keeps the ids of all uploads that the store lists now
  file=$scratch/listed-$1
  shift
  if "$@" </dev/null >"$scratch/words" 2>"$scratch/errors"; then
    tr '\\t' '\\n' <"$scratch/words" >"$file"
  else
    unlisted "$(tail -n 1 "$scratch/errors")" || true
  fi
}}

unlisted() {{ # WHY: false
  printf '%s\\n' "Not all could be listed: $1"
  echo 'So what is gone already may count as aborted and freed.'
  return 1
}}

say() {{ # TEXT [NUMBER ID BUCKET]: the upload that is next, and the inventory that it should be in
  failure='' listed=unknown id=${{3-}} bucket=${{4-}}
  lookup() {{ return 1; }} # no command can tell whether the store lists it
  if [ -n "$id" ] && [ -e "$scratch/listed-$2" ]; then
    listed=yes
    grep -Fqx -e "$id" "$scratch/listed-$2" || listed=no
  fi
  printf '%s\\n' "$1"
}}

find_by_key() {{ # false where its key cannot be listed; else $found is not empty if the store lists it there
  found=''
  lookup </dev/null >"$scratch/words" 2>/dev/null || return 1
  of_bucket "$bucket" || return 1
  if grep -Fqx -e "$id" "$scratch/ids"; then found=yes; else [ "$truncated" != True ]; fi
}}

abort() {{ # BYTES COMMAND...: false where that failed; why is in $failure, unless the upload is not there
  bytes=$1
  shift
  if [ "$listed" = no ] && find_by_key && [ -n "$found" ]; then listed=yes; fi # a listing may be incomplete
  if answer=$("$@" </dev/null 2>&1); then
    if [ "$listed" = no ]; then # some stores confirm what they do not have
      absent=$((absent + 1))
      echo '  it was not listed any more'
      return 0
    fi
    aborted=$((aborted + 1))
    if [ "$bytes" = unknown ]; then unsized=$((unsized + 1)); else freed=$((freed + bytes)); fi
    return 0
  fi
  case ${{answer#*'An error occurred ('}} in # the first one is the AWS CLI's own, others may be in a key
    NoSuchUpload\\)* | NoSuchKey\\)*) return 1 ;;
    ResourceNotFoundException\\)*'Vault not found'*) ;;
    ResourceNotFoundException\\)*) return 1 ;;
  esac
  case $* in
    *NoSuch*) ;; # a key that looks like the answer of obsutil or of Google Cloud
    *) case $answer in *'error code [NoSuchUpload]'* | *'<Code>NoSuchUpload</Code>'*) return 1 ;; esac ;;
  esac
  failure=${{answer:-the command failed and did not say why}}
  return 1
}}

gone() {{ # counts the upload as not there; stops where that is not certain
  if [ -n "$failure" ]; then
    case $listed,$failure in
      *,*'An error occurred ('*) listed=yes ;; # with a code that says something else
      unknown,*) if find_by_key && [ -z "$found" ]; then listed=no; fi ;;
      no,*NoneType*) ;; # all that the AWS CLI says of an error without a message
      *) listed=yes ;;
    esac
    if [ "$listed" != no ]; then
      printf '%s\\n' "stopped: $failure" >&2
      exit 1
    fi
  fi
  absent=$((absent + 1))
  echo '  it is gone already'
}}

leave() {{ # TEXT: why no command can abort it, and what to do
  left=$((left + 1))
  printf '  left to you: %s\\n' "$1"
}}
"""
_STYLES = """
style() { # NUMBER STYLE [--profile=NAME]: a copy of the AWS CLI's config file with it, as there is no flag
  config=${AWS_CONFIG_FILE:-${HOME-}/.aws/config}
  if [ -e "$config" ]; then cp "$config" "$scratch/config-$1"; fi
  AWS_CONFIG_FILE=$scratch/config-$1 aws configure set s3.addressing_style "$2" ${3+"$3"}
}
"""

_Style = tuple[str, str]
"""Addressing style and profile."""


def abort_script(report: UploadReport) -> str:
    """Return the script. Denied uploads are not in it."""
    found = [(row, _commands(row)) for row in report.uploads if not row.found.denied]
    once = {command.calls or row.upload: (row, command) for row, command in found}  # targets may overlap
    rows, commands = [row for row, _ in once.values()], [command for _, command in once.values()]
    aborted = [row for row, command in once.values() if command.calls]
    head = _HEAD.format(when=utc_text(report.now), number=len(aborted), size=_size(aborted))
    notes = _notes(report, len(found), left=len(rows) - len(aborted))
    lines = [head.rstrip("\n"), *notes, _FUNCTIONS.format(number=len(rows)).rstrip("\n")]
    shared = _Shared(commands)
    lines += shared.lines()
    for number, (row, command) in enumerate(zip(rows, commands, strict=True), 1):
        text = one_line(f"{number}/{len(rows)} {_described(row, report.now)}")
        lines += ["", _quoted(["say", text, *shared.inventory_of(row, command)])]
        lines += _steps(row, command, shared.environment(command))
    return "\n".join(lines) + "\n"


class _Shared:
    """What is prepared once for many commands: config files of the AWS CLI, and inventories of buckets."""

    def __init__(self, commands: Iterable[AbortCommand]) -> None:
        self._styles: dict[_Style, int] = {}
        self._inventories: dict[Words, tuple[int, AbortCommand]] = {}
        for each in commands:
            if each.addressing_style:
                self._styles.setdefault(_style(each), len(self._styles))
            if each.inventory:
                self._inventories.setdefault(each.inventory, (len(self._inventories), each))

    def lines(self) -> Iterator[str]:
        """Yield the lines that prepare it."""
        if self._styles:
            yield _STYLES
        for (name, profile), number in self._styles.items():
            yield _quoted(["style", str(number), name, *([f"--profile={profile}"] if profile else [])])
        for words, (number, each) in self._inventories.items():
            where = self.environment(each)
            if each.proof:
                yield f"proven {shell_quoted(each.answers_of)} {where}{_quoted(each.proof)} &&"
            yield f"{'  ' if each.proof else ''}inventory {number} {where}{_quoted(words)}"

    def environment(self, command: AbortCommand) -> str:
        """Return what stands before a command, to have its addressing style."""
        if not command.addressing_style:
            return ""
        return f'env AWS_CONFIG_FILE="$scratch/config-{self._styles[_style(command)]}" '

    def inventory_of(self, row: FoundUpload, command: AbortCommand) -> Iterator[str]:
        """Yield the number of the inventory that an upload should be in, its id, and the bucket's name."""
        if command.inventory and row.upload.upload_id.isprintable():
            yield from (
                str(self._inventories[command.inventory][0]),
                row.upload.upload_id,
                command.answers_of,
            )


def _style(command: AbortCommand) -> _Style:
    return command.addressing_style, command.profile


def _commands(row: FoundUpload) -> AbortCommand:
    return abort_commands(row.target, row.bucket, row.upload, row.signing_region)


def _size(rows: Iterable[FoundUpload]) -> str:
    sizes = [row.found.bytes for row in rows]
    known = [size for size in sizes if size is not None]
    text = f"{human_bytes(sum(known))}, {sum(known)} bytes"
    return (
        text
        if len(known) == len(sizes)
        else f"{text}, and those of {len(sizes) - len(known):,} of unknown size"
    )


def _notes(report: UploadReport, number: int, left: int) -> Iterator[str]:
    """Yield comments about what is not in the script, and about how many it leaves to people."""
    counts = report.counts
    if left:
        yield f"# No command can abort {left:,} more: at each it says why, and what to do."
    if counts.matched > number:
        yield f"# Not in it, for the limit: {counts.matched - number:,}. With --limit=0 all are."
    if counts.unasked:
        yield f"# Not in it, as their parts are not known and they may still be running: {counts.unasked:,}."
    if counts.denied:
        yield f"# Not in it, as the store lists them and then denies them: {counts.denied:,}."
    values = [each.value for each in report.outcomes]
    if failed := sum(isinstance(each, Failure) for each in values):
        yield f"# Not in it, as they could not be scanned: {failed:,} buckets or targets."
    if any(isinstance(each, UploadSelection) and each.tells_initiations_alone for each in values):
        yield "# Glacier tells no times of parts: its uploads count as idle since they were initiated."


def _described(row: FoundUpload, now: float) -> str:
    found = row.found
    age = age_at(now, row.upload.initiated)
    idle = age_at(now, found.activity) if found.tells_activity else None
    what = (
        "size not known" if found.bytes is None else human_bytes(found.bytes),
        "age not known" if age is None else f"{human_seconds(age)} old",
        "idle time not known" if idle is None else f"idle {human_seconds(idle)}",
    )
    return f"{row.target.name} {row.bucket.name}/{row.upload.key}: {', '.join(what)}"


def _steps(row: FoundUpload, command: AbortCommand, where: str) -> Iterator[str]:
    if not command.calls:
        yield f"# {command.instead}"
        yield f"leave {shell_quoted(command.instead)}"
        return
    if command.listing and row.upload.upload_id.isprintable():
        yield f"lookup() {{ {where}{_quoted(command.listing)}; }}"
    size = "unknown" if row.found.bytes is None else row.found.bytes
    indent = ""
    for words in command.calls:
        yield f"{indent}abort {size} {where}{_quoted(words)} ||"
        indent = "  "
    yield "  gone"


def _quoted(words: Sequence[str] | Words) -> str:
    return " ".join(map(shell_quoted, words))

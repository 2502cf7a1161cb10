"""Log lines for people and machines: fixed text plus key=value, one line each."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

from exporter.text.redaction import redact

FORMATS = ("logfmt", "json")
LEVELS = ("debug", "info", "warning", "error")
_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f]+")
_QUIET = {
    # the SDKs write headers and signed URLs at debug level
    **dict.fromkeys(("boto3", "botocore", "s3transfer", "urllib3", "obs", "schedule"), logging.WARNING),
    "botocore.credentials": logging.ERROR,  # a traceback for each renewal that fails; we tell it ourselves
    "asyncio": logging.WARNING,
    "uvicorn": logging.ERROR,  # warns of every client that does not speak HTTP
}


def configure(level: str, form: str) -> None:
    """Send the process's log to standard error, from `level` up, as `form` says."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if form == "json" else _LogfmtFormatter())
    handler.addFilter(_is_wanted)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, quietest in _QUIET.items():
        logging.getLogger(name).setLevel(quietest)


def _is_wanted(record: logging.LogRecord) -> bool:
    """Whether a line is ours; of libraries, known or not, there are only warnings."""
    return record.name.partition(".")[0] == "exporter" or record.levelno >= logging.WARNING


class _LogfmtFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{name}={_quoted(value)}" for name, value in _entries(record, self).items())


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_entries(record, self), default=str)


def _entries(record: logging.LogRecord, formatter: logging.Formatter) -> dict[str, object]:
    moment = datetime.fromtimestamp(record.created, UTC)
    entries: dict[str, object] = {
        "ts": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "msg": redact(record.getMessage()),
    }
    fields: dict[str, object] = getattr(record, "fields", {})
    entries |= {name: _hidden(value) for name, value in fields.items() if value is not None}
    if record.exc_info:
        entries["traceback"] = redact(formatter.formatException(record.exc_info))
    return entries


def _hidden(value: object) -> object:
    """Return the value without what could be a secret: messages are often other people's texts."""
    return redact(value) if isinstance(value, str) else value


def _quoted(value: object) -> str:
    text = str(value)
    if _PLAIN.fullmatch(text) and text.isprintable():
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if quoted.isprintable() else json.dumps(text)  # what terminals and readers act on

"""Log lines as logfmt or JSON: a fixed text plus key=value fields, one line each."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

from exporter.cli.log_limit import LimitedHandler
from exporter.text.redaction import redact

_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f]+")
LIBRARY_LEVELS = {
    # the SDKs write headers and signed URLs at debug level
    **dict.fromkeys(("boto3", "botocore", "s3transfer", "urllib3", "obs", "schedule"), logging.WARNING),
    # a traceback for each failed renewal of keys or of an SSO session's token, which we log ourselves
    **dict.fromkeys(("botocore.credentials", "botocore.tokens"), logging.ERROR),
    "asyncio": logging.WARNING,
    "uvicorn": logging.ERROR,  # warns of every client that does not speak HTTP
}


def configure(level: str, log_format: str) -> None:
    """Send the process's log to standard error, from `level` up, in `log_format` (`logfmt` or `json`)."""
    handler = LimitedHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _LogfmtFormatter())
    handler.addFilter(_is_logged)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, library_level in LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(library_level)
    logging.captureWarnings(capture=True)


def _is_logged(record: logging.LogRecord) -> bool:
    """Whether to log a record: all of our own, of libraries only warnings and errors."""
    return _is_own(record) or record.levelno >= logging.WARNING


def _is_own(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == "exporter"


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
    entries |= {name: _redacted(value) for name, value in fields.items() if value is not None}
    if record.exc_info and (_is_own(record) or record.levelno >= logging.ERROR):
        # what a library only warns of it has dealt with: its text is enough
        entries["traceback"] = redact(formatter.formatException(record.exc_info))
    return entries


def _redacted(value: object) -> object:
    """Return the value with possible secrets redacted: messages often quote foreign texts."""
    return redact(value) if isinstance(value, str) else value


def _quoted(value: object) -> str:
    text = str(value)
    if _PLAIN.fullmatch(text) and text.isprintable():
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if quoted.isprintable() else json.dumps(text)  # what terminals and readers act on

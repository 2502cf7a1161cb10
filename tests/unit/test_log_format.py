"""Log lines: one each, readable by people and machines, whatever is in them."""

import json
import logging
import warnings
from collections.abc import Iterator

import pytest
from unit.example_board import HOSTILE

from exporter.cli import log_format as logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Give the loggers back as they were."""
    root = logging.getLogger()
    names = ("botocore", "uvicorn", "asyncio", *logs.LIBRARY_LEVELS)
    before = root.level, list(root.handlers), {name: logging.getLogger(name).level for name in names}
    logging.captureWarnings(capture=False)  # another test may have them captured, and lost
    yield
    logging.captureWarnings(capture=False)
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    for name, level in before[2].items():
        logging.getLogger(name).setLevel(level)


def line(capsys: pytest.CaptureFixture[str], form: str, message: str, **fields: object) -> str:
    logs.configure("info", form)
    capsys.readouterr()
    logging.getLogger("exporter.test").info(message, extra={"fields": fields})
    written = capsys.readouterr().err
    assert written.endswith("\n")
    assert len(written.splitlines()) == 1
    return written.removesuffix("\n")


class TestLogfmt:
    def test_a_line_is_time_level_message_and_fields(self, capsys: pytest.CaptureFixture[str]):
        written = line(capsys, "logfmt", "scan finished", target="prod", uploads=3, bytes=None, share=0.5)
        moment, _, rest = written.partition(" ")
        assert rest == 'level=info msg="scan finished" target=prod uploads=3 share=0.5'
        assert moment.startswith("ts=20")
        assert moment.endswith("Z")

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("plain-text_1.0/x:y", "plain-text_1.0/x:y"),
            ("Größe", "Größe"),
            ("", '""'),
            ("two words", '"two words"'),
            ("a=b", '"a=b"'),
            ('say "hi"', r'"say \"hi\""'),
            ("back\\slash", r'"back\\slash"'),
            ("a\nlevel=error msg=forged", r'"a\nlevel=error msg=forged"'),
            ("a\r\tb", r'"a\r\tb"'),
            ("\x1b[31mred", r'"\u001b[31mred"'),
            ("\x7f", r'"\u007f"'),
            ("\x9b31mred", r'"\u009b31mred"'),
            ("a\x85b", r'"a\u0085b"'),
            ("a\u2028b c", r'"a\u2028b c"'),
            ("\u202eevil", r'"\u202eevil"'),
            ("\ud800", r'"\ud800"'),
        ],
    )
    def test_a_value_can_neither_break_the_line_nor_command_a_terminal(
        self, capsys: pytest.CaptureFixture[str], value: str, text: str
    ):
        assert line(capsys, "logfmt", "m", value=value).endswith(f" value={text}")

    def test_a_quoted_value_reads_back_as_it_was(self, capsys: pytest.CaptureFixture[str]):
        written = line(capsys, "logfmt", "m", value=HOSTILE)
        assert json.loads(written.partition(" value=")[2]) == HOSTILE

    def test_a_traceback_stays_on_its_line(self, capsys: pytest.CaptureFixture[str]):
        logs.configure("info", "logfmt")
        try:
            raise KeyError("lost")  # noqa: TRY301 - a traceback is wanted
        except KeyError:
            logging.getLogger("exporter.test").exception("broken")
        written = capsys.readouterr().err
        assert len(written.splitlines()) == 1
        assert "KeyError: 'lost'" in written


class TestJson:
    def test_a_line_is_one_object(self, capsys: pytest.CaptureFixture[str]):
        written = json.loads(line(capsys, "json", "scan finished", target=HOSTILE, uploads=3, bytes=None))
        assert written.pop("ts").endswith("Z")
        assert written == {"level": "info", "msg": "scan finished", "target": HOSTILE, "uploads": 3}

    def test_what_json_does_not_know_is_written_as_text(self, capsys: pytest.CaptureFixture[str]):
        assert json.loads(line(capsys, "json", "m", value={1}))["value"] == "{1}"


class TestLevels:
    def test_below_the_level_nothing_is_written(self, capsys: pytest.CaptureFixture[str]):
        logs.configure("error", "logfmt")
        logging.getLogger("exporter.test").warning("not now")
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize("name", ["botocore.auth", "boto3", "urllib3.connectionpool", "obs", "schedule"])
    def test_the_libraries_write_no_headers_and_signatures_even_at_debug(
        self, capsys: pytest.CaptureFixture[str], name: str
    ):
        logs.configure("debug", "logfmt")
        logging.getLogger(name).info("Authorization: AWS4-HMAC-SHA256")
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize("name", ["botocore.credentials", "botocore.tokens"])
    def test_what_the_sdk_says_of_a_renewal_that_failed_is_left_out(
        self, capsys: pytest.CaptureFixture[str], name: str
    ):
        logs.configure("debug", "logfmt")
        logging.getLogger(name).warning("Refreshing token failed", exc_info=KeyError("lost"))
        assert capsys.readouterr().err == ""

    def test_what_a_library_has_dealt_with_has_no_traceback(self, capsys: pytest.CaptureFixture[str]):
        logs.configure("info", "logfmt")
        for level in (logging.WARNING, logging.ERROR):
            logging.getLogger("botocore.utils").log(level, "failed", exc_info=KeyError("lost"))
        warning, error = capsys.readouterr().err.splitlines()
        assert ("traceback" in warning, "traceback" in error) == (False, True)

    def test_a_client_that_does_not_speak_http_makes_no_line(self, capsys: pytest.CaptureFixture[str]):
        logs.configure("debug", "logfmt")
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        assert capsys.readouterr().err == ""

    def test_a_librarys_warning_is_a_line_as_any_other(self, capsys: pytest.CaptureFixture[str]):
        logs.configure("info", "json")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("an option is old", FutureWarning, stacklevel=1)
        written = json.loads(capsys.readouterr().err)
        assert written["level"] == "warning"
        assert "FutureWarning: an option is old" in written["msg"]

    @pytest.mark.parametrize(
        ("form", "fields"),
        [
            ("logfmt", 'logger=urllib3 example="Connection pool is full" left_out=2'),
            ("json", '"logger": "urllib3", "example": "Connection pool is full", "left_out": 2}'),
        ],
    )
    def test_what_is_left_out_is_a_number_in_a_line_of_either_format(
        self, capsys: pytest.CaptureFixture[str], form: str, fields: str
    ):
        logs.configure("debug", form)
        for _ in range(12):
            logging.getLogger("urllib3").warning("Connection pool is full")
        logging.getLogger().handlers[0].close()
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 11
        assert lines[-1].endswith(fields)

    def test_configuring_again_writes_each_line_once(self, capsys: pytest.CaptureFixture[str]):
        logs.configure("info", "logfmt")
        assert "msg=once" in line(capsys, "logfmt", "once")

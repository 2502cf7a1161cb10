"""What single values of the config file are: checked texts, durations, numbers, and choices."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

from exporter.config import checks
from exporter.config.document import NumberText
from exporter.config.durations import PATTERN, parse_duration, parse_positive_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Leaf:
    """A value without parts.

    `read` takes the plain value and returns the setting; it raises ValueError with advice, which does not
    repeat the value: it may be a secret. `schema` is the JSON Schema of the plain value.
    """

    __slots__ = ("read", "schema")

    def __init__(self, read: Callable[[Any], object], **schema: object) -> None:
        """Keep both."""
        self.read = read
        self.schema = schema


def text(check: Callable[[str], object], **schema: object) -> Leaf:
    """Return a text for which `check` returns the setting, or raises ValueError."""
    return Leaf(lambda value: check(_read_text(value)), type="string", **schema)


def choice(names: Sequence[str], read: Callable[[str], object] = str) -> Leaf:
    """Return one of several texts, of which `read` makes the setting."""
    schema: dict[str, object] = {"enum": list(names)} if len(names) > 1 else {"const": names[0]}
    *others, last = map(repr, names)
    wanted = f"must be {', '.join(others)} or {last}" if others else f"must be {last}"

    def read_choice(value: object) -> object:
        if value not in names:
            raise ValueError(wanted)
        return read(str(value))

    return Leaf(read_choice, type="string", **schema)


def whole_number(ge: float | None = None, le: float | None = None) -> Leaf:
    """Return an integer from `ge` to `le`, None where there is no such bound."""

    def read(value: object) -> int:
        value = _read_number(value)
        if type(value) is float and value.is_integer():  # 1.048576e+06: as Helm writes 1048576
            value = int(value)
        if type(value) is not int:
            raise ValueError("must be a whole number, without quotes")
        _check_bounds(value, ge, le)
        return value

    return Leaf(read, type="integer", **_describe_bounds(ge, le))


def number(ge: float | None = None, le: float | None = None) -> Leaf:
    """Return a finite number from `ge` to `le`, None where there is no such bound."""

    def read(value: object) -> float:
        value = _read_number(value)
        if type(value) is not int and type(value) is not float:
            raise ValueError("must be a number, without quotes")
        if not abs(value) <= sys.float_info.max:  # NaN compares false
            raise ValueError("must be a finite number")
        _check_bounds(value, ge, le)
        return float(value)

    return Leaf(read, type="number", **_describe_bounds(ge, le))


def _read_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, list | dict):
        raise ValueError("must be text: one value, not nothing, a list or a mapping")
    raise ValueError("must be text: put quotes around it")


def _read_number(value: object) -> object:
    """Return the number that an unquoted text such as `4e-05` stands for; anything else as it is."""
    return float(value) if isinstance(value, NumberText) else value


def _read_flag(value: object) -> bool:
    if type(value) is not bool:
        raise ValueError("must be true or false, without quotes")
    return value


def _check_bounds(value: float, ge: float | None, le: float | None) -> None:
    if ge is not None and value < ge:
        raise ValueError(f"must be at least {ge:g}")
    if le is not None and value > le:
        raise ValueError(f"must be at most {le:g}")


def _describe_bounds(ge: float | None, le: float | None) -> dict[str, float]:
    return {name: bound for name, bound in (("maximum", le), ("minimum", ge)) if bound is not None}


FLAG = Leaf(_read_flag, type="boolean")
FILE_NAME = text(checks.check_file_name, minLength=1)

Duration = Annotated[float, Leaf(parse_positive_duration, type="string", pattern=PATTERN)]
DurationOrZero = Annotated[float, Leaf(parse_duration, type="string", pattern=PATTERN)]
Name = Annotated[str, text(checks.check_name, minLength=1, maxLength=100)]
Region = Annotated[str, text(checks.check_region)]
BucketName = Annotated[str, text(checks.check_bucket, minLength=1)]
LabelName = Annotated[str, text(checks.check_label, pattern=checks.LABEL)]
TagKey = Annotated[str, text(checks.check_tag_key, minLength=1, maxLength=128)]
LabelValue = Annotated[str, text(checks.check_label_value)]
HttpUrl = Annotated[str, text(checks.check_endpoint_url)]
ProxyUrl = Annotated[str, text(checks.check_proxy_url)]
Account = Annotated[str, text(checks.check_account, pattern=checks.ACCOUNT)]
OwnAccount = Annotated[str, text(checks.check_own_account, pattern=checks.OWN_ACCOUNT)]
FileName = Annotated[str, FILE_NAME]
Pattern = Annotated[str, text(checks.check_pattern, minLength=1, format="regex")]
StorageAccount = Annotated[str, text(checks.check_storage_account, pattern=checks.STORAGE_ACCOUNT)]
Project = Annotated[str, text(checks.check_project, pattern=checks.PROJECT)]
RoleArn = Annotated[str, text(checks.check_role_arn, pattern=checks.ROLE_ARN)]
SessionName = Annotated[str, text(checks.check_session_name, pattern=checks.SESSION_NAME)]
ExternalId = Annotated[str, text(checks.check_external_id, pattern=checks.EXTERNAL_ID)]
Currency = Annotated[str, text(checks.check_currency, pattern=checks.CURRENCY)]
Price = Annotated[float, number(0, 1_000_000)]

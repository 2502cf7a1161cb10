"""The building blocks of the models: checked texts, durations, numbers, and a mapping of known keys."""

# No postponed annotations here: pydantic reads them when a class is made.
from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema

from exporter.config import checks as texts
from exporter.config.durations import PATTERN, parse_duration, parse_positive_duration


def _schema(**bounds: object) -> WithJsonSchema:
    """Say in the JSON Schema what the validator before it checks."""
    return WithJsonSchema({"type": "string", **bounds})


_DurationText = Annotated[str, Field(pattern=PATTERN)]
Duration = Annotated[float, BeforeValidator(parse_positive_duration, json_schema_input_type=_DurationText)]
DurationOrZero = Annotated[float, BeforeValidator(parse_duration, json_schema_input_type=_DurationText)]
Name = Annotated[str, AfterValidator(texts.check_name), _schema(minLength=1, maxLength=100)]
Region = Annotated[str, AfterValidator(texts.check_region)]
BucketName = Annotated[str, AfterValidator(texts.check_bucket), _schema(minLength=1)]
LabelName = Annotated[str, AfterValidator(texts.check_label), _schema(pattern=texts.LABEL)]
LabelValue = Annotated[str, AfterValidator(texts.check_label_value)]
HttpUrl = Annotated[str, AfterValidator(texts.check_endpoint_url)]
ProxyUrl = Annotated[str, AfterValidator(texts.check_proxy_url)]
Account = Annotated[str, AfterValidator(texts.check_account), _schema(pattern=texts.ACCOUNT)]
OwnAccount = Annotated[str, AfterValidator(texts.check_own_account), _schema(pattern=texts.OWN_ACCOUNT)]
FileName = Annotated[str, AfterValidator(texts.check_file_name), _schema(minLength=1)]
SecretText = Annotated[SecretStr, AfterValidator(texts.check_secret), _schema(minLength=1)]
Pattern = Annotated[str, AfterValidator(texts.check_pattern), _schema(minLength=1, format="regex")]
RoleArn = Annotated[str, AfterValidator(texts.check_role_arn), _schema(pattern=texts.ROLE_ARN)]
SessionName = Annotated[str, AfterValidator(texts.check_session_name), _schema(pattern=texts.SESSION_NAME)]
ExternalId = Annotated[str, AfterValidator(texts.check_external_id), _schema(pattern=texts.EXTERNAL_ID)]
Currency = Annotated[str, AfterValidator(texts.check_currency), _schema(pattern=texts.CURRENCY)]
Price = Annotated[float, Field(ge=0, le=1_000_000)]


def written(default: str, description: str) -> float:
    """Make a field whose default is written as people write it; pydantic reads it like any other."""
    return Field(default=cast("float", default), description=description)


class Section(BaseModel):
    """A mapping of known keys."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        validate_default=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )

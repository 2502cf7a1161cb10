"""The building blocks of the models: checked texts, durations, numbers, and a mapping of known keys."""

# No postponed annotations here: pydantic reads them when a class is made.
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema

from exporter.config import checks
from exporter.config.durations import PATTERN, parse_duration, parse_positive_duration


def _schema(**bounds: object) -> WithJsonSchema:
    """Say in the JSON Schema what the validator before it checks."""
    return WithJsonSchema({"type": "string", **bounds})


_DurationText = Annotated[str, Field(pattern=PATTERN)]
Duration = Annotated[float, BeforeValidator(parse_positive_duration, json_schema_input_type=_DurationText)]
DurationOrZero = Annotated[float, BeforeValidator(parse_duration, json_schema_input_type=_DurationText)]
Name = Annotated[str, AfterValidator(checks.check_name), _schema(minLength=1, maxLength=100)]
Region = Annotated[str, AfterValidator(checks.check_region)]
BucketName = Annotated[str, AfterValidator(checks.check_bucket), _schema(minLength=1)]
LabelName = Annotated[str, AfterValidator(checks.check_label), _schema(pattern=checks.LABEL)]
LabelValue = Annotated[str, AfterValidator(checks.check_label_value)]
HttpUrl = Annotated[str, AfterValidator(checks.check_endpoint_url)]
ProxyUrl = Annotated[str, AfterValidator(checks.check_proxy_url)]
Account = Annotated[str, AfterValidator(checks.check_account), _schema(pattern=checks.ACCOUNT)]
OwnAccount = Annotated[str, AfterValidator(checks.check_own_account), _schema(pattern=checks.OWN_ACCOUNT)]
FileName = Annotated[str, AfterValidator(checks.check_file_name), _schema(minLength=1)]
SecretText = Annotated[SecretStr, AfterValidator(checks.check_secret), _schema(minLength=1)]
Pattern = Annotated[str, AfterValidator(checks.check_pattern), _schema(minLength=1, format="regex")]
RoleArn = Annotated[str, AfterValidator(checks.check_role_arn), _schema(pattern=checks.ROLE_ARN)]
SessionName = Annotated[str, AfterValidator(checks.check_session_name), _schema(pattern=checks.SESSION_NAME)]
ExternalId = Annotated[str, AfterValidator(checks.check_external_id), _schema(pattern=checks.EXTERNAL_ID)]
Currency = Annotated[str, AfterValidator(checks.check_currency), _schema(pattern=checks.CURRENCY)]
Price = Annotated[float, Field(ge=0, le=1_000_000)]


class Section(BaseModel):
    """A mapping of known keys."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        validate_default=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )

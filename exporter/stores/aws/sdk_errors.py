"""StoreErrors for what botocore raises: each class that a config or an environment can cause has its reason.

`internal` is none of them: it stands for faults of the exporter.
"""

from __future__ import annotations

import codecs
import re
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.exceptions as sdk
import botocore.parsers

from exporter.model.errors import Reason, StoreError
from exporter.stores.aws.keys import MissingSecretError, no_credentials
from exporter.stores.aws.sdk_causes import known_cause
from exporter.stores.aws.sdk_files import faults
from exporter.stores.errors import describe_body, log_safe
from exporter.stores.secret_sources import CredentialSourceError
from exporter.text.file_limit import because
from exporter.text.redaction import REDACTED

if TYPE_CHECKING:
    from exporter.stores.transport.response import Response

ROLE_OPERATIONS = {"AssumeRole", "AssumeRoleWithWebIdentity"}
NAME_ERRORS = (sdk.ParamValidationError, UnicodeError)
"""What botocore raises over the names that a call is given."""
_CREDENTIALS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.UnknownCredentialError,
    sdk.RefreshWithMFAUnsupportedError,
    sdk.ProfileNotFound,
    *(sdk.ConfigNotFound, sdk.ConfigParseError, sdk.InvalidConfigError),
    *(sdk.MetadataRetrievalError, sdk.InvalidIMDSEndpointError, sdk.InvalidIMDSEndpointModeError),
    *(sdk.NoAuthTokenError, sdk.TokenRetrievalError, sdk.UnknownTokenProviderError),
    *(sdk.SSOError, sdk.LoginError),
    *(MissingSecretError, CredentialSourceError, OSError),  # OSError: a secret's file
)
_CONNECTION = (sdk.ConnectionError, sdk.HTTPClientError)
"""Some are OSErrors too, by way of requests."""
_REASONS = (
    (Reason.TIMEOUT, (sdk.ConnectTimeoutError, sdk.ReadTimeoutError)),
    (Reason.TLS, (sdk.SSLError,)),
    (Reason.CONNECTION, _CONNECTION),
)
SDK_ERRORS = (
    sdk.BotoCoreError,
    *(MissingSecretError, CredentialSourceError, OSError),
    # raised over malformed answers, and over values of the SDK's own config
    botocore.parsers.ResponseParserError,
    *(ValueError, LookupError, TypeError, AttributeError, RuntimeError, ArithmeticError),
)
"""What botocore raises in a call, ClientError aside."""
_ANY_ROLE_ADVICE = "check the role's ARN, its duration, and the credentials that take it"
_REFUSED_ROLE_ADVICE = (
    "let the caller use sts:AssumeRole, and the role's trust policy name the caller "
    "and the same external id, if any (docs/permissions.md, Roles)"
)
_CHECK_CONFIG = "check the target, the profile in the SDK's config file, and the variables AWS_*"
_SSO = "no valid token of the SSO session is in ~/.aws/sso/cache: run aws sso login as the exporter's user"
_HARMLESS = re.compile(
    "Unsupported host|Auth token value is not|No closing quotation|No escaped character|Invalid endpoint"
)
"""How texts begin that show no secret: of the container's URL and token, a command's quotes, a URL."""
_ADVISING = (
    CredentialSourceError,
    sdk.ConfigParseError,
    sdk.SSOTokenLoadError,
    sdk.UnauthorizedSSOTokenError,
)
"""Of these `_cause` says what to do."""
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def sdk_error(operation: str, error: Exception, *, answered: bool) -> StoreError:
    """Return the error of a call in which the SDK failed; `answered`: there was a response."""
    if isinstance(error, _CREDENTIALS) and not isinstance(error, _CONNECTION):
        return lookup_error(operation, error)
    for reason, classes in _REASONS:
        if isinstance(error, classes):
            return StoreError(reason, f"{operation}: {_cause(error)}")
    if isinstance(error, NAME_ERRORS):
        what = f"{operation}: the SDK cannot ask for this name ({type(error).__name__})"
        return StoreError(Reason.UNSUPPORTED, what)
    if answered:
        return StoreError(Reason.BAD_RESPONSE, f"{operation}: {_cause(error)}")
    return StoreError(Reason.UNSUPPORTED, f"{operation}: {_cause(error)}; {_CHECK_CONFIG}")


def lookup_error(operation: str, error: Exception, source: str = "") -> StoreError:
    """Return the error of a call for which the SDK found no keys; `source` is where it looked."""
    if isinstance(error, _ADVISING):
        return no_credentials(operation, _cause(error), advises=True)
    return no_credentials(operation, f"{_cause(error)}{source and f' ({source})'}")


def role_error(
    operation: str, error: sdk.ClientError, response: Response, own: tuple[str, str]
) -> StoreError:
    """Return the error for a role that STS refused; `own`: code and message, read as the store's errors."""
    if error.operation_name not in ROLE_OPERATIONS:
        return lookup_error(operation, error)
    fields = error.response.get("Error", {})
    code, message = fields.get("Code", ""), fields.get("Message", "")
    if code == "Unknown":  # Ceph's refusals differ from those of STS, and the SDK cannot read them
        code, message = own
    refused = code == "AccessDenied" or (not code and response.status == HTTPStatus.FORBIDDEN)
    cause = log_safe(f"{code} {message}".strip()) or describe_body(response)
    text = f"{error.operation_name}: HTTP {response.status} ({cause}); "
    text += _REFUSED_ROLE_ADVICE if refused else _ANY_ROLE_ADVICE
    return StoreError(Reason.CREDENTIALS, text, code=code, status=response.status)


def shown(text: str) -> str:
    """Return a foreign text as one line without secrets, '' where nothing else is left of it."""
    safe = log_safe(text)
    return safe if re.search(r"\w{3}", safe.replace(REDACTED, "")) else ""


def _cause(error: Exception) -> str:
    """Return what went wrong; of texts that could hold a secret only the class of the error."""
    kind = type(error).__name__
    if isinstance(error, CredentialSourceError):
        return str(error)
    if isinstance(error, sdk.ConfigParseError):
        return _parse_fault(Path(error.kwargs["path"]))
    if isinstance(error, (sdk.SSOTokenLoadError, sdk.UnauthorizedSSOTokenError)):
        return f"{kind}: {_SSO}"
    if isinstance(error, sdk.HTTPClientError):  # an invalid header is in the text of its error
        inner = error.kwargs.get("error")
        return f"{kind}: {type(inner).__name__}" if isinstance(inner, Exception) else kind
    if isinstance(error, OSError) and error.strerror:
        where = f": {log_safe(str(error.filename))}" if error.filename else ""
        return f"{kind}: {because(error)}{where}"
    return _told(error)


def _told(error: Exception) -> str:
    """Return what the text of an error says, where it cannot hold a secret."""
    kind = type(error).__name__
    if not isinstance(error, sdk.BotoCoreError) and (cause := known_cause(error)):
        return cause
    tells = _HARMLESS.match(str(error)) or isinstance(
        error, (sdk.BotoCoreError, sdk.ClientError, MissingSecretError, botocore.parsers.ResponseParserError)
    )
    said = shown(str(error)) if tells else ""
    if isinstance(error, sdk.ProfileNotFound):
        said = "; ".join(filter(None, (said, faults())))
    return f"{kind}: {said}" if said else f"{kind} (its text may hold a secret)"


def _parse_fault(path: Path) -> str:
    """Return what is wrong with a config file of the SDK that it cannot parse."""
    try:
        with path.open("rb") as file:
            marked = file.read(3).startswith(_MARKS)
    except OSError:
        marked = False
    name = log_safe(str(path))
    if marked:
        return f"the SDK's file {name} begins with a byte order mark: save it as UTF-8 without one"
    return f"the SDK cannot parse its file {name}: check its sections and lines"

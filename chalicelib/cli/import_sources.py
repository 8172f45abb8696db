"""Where `penstock credentials import` reads: this environment, AWS Secrets Manager, SSM Parameter Store."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from chalicelib.adapters.environment import PREFIX
from chalicelib.cli.options import IMPORT_SOURCES
from chalicelib.errors import ForbiddenError, NotFoundError, NotSentError, PenstockError, ServiceError, UsageError

_ABSENT: Final = frozenset({"ResourceNotFoundException", "ParameterNotFound"})
_REFUSED: Final = frozenset(
    {"AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "InvalidSignatureException"}
)


@dataclass(frozen=True, slots=True)
class Found:
    """A text that was read, and where."""

    source: str
    """For people: `env GITHUB_TOKEN`."""
    elsewhere: str
    """What it is called there."""
    text: str = field(repr=False)
    name: str = ""
    """What it is to be called; empty where nobody said."""


Wanted = Sequence[tuple[str, str]]
"""Names as flows write them, each with what it is called elsewhere (empty: the same)."""


def read_source(source: str, wanted: Wanted, region: str | None) -> list[Found]:
    """What lies there; raises UsageError where there is no such source, and NotFoundError where it holds nothing."""
    kind, _, place = source.partition(":")
    match kind:
        case "env" if not place:
            return _environment(wanted)
        case "secretsmanager" if place:
            return [_secret(place, region)]
        case "ssm" if place:
            return _parameters(place, region)
        case _:
            raise UsageError(f"Credentials are imported from: {IMPORT_SOURCES}")


def entries_of(found: list[Found], wanted: Wanted, *, is_each: bool) -> list[Found]:
    """What was read, one for each credential, under the names that were asked for.

    Raises UsageError where an object with several is none, NotFoundError where one that was asked for is not there.
    """
    if is_each:
        found = [entry for each in found for entry in _entries(each)]
    if not wanted:
        return found
    if len(found) == 1 and len(wanted) == 1 and not is_each and not wanted[0][1]:
        return [replace(found[0], name=wanted[0][0])]
    taken: list[Found] = []
    for name, elsewhere in wanted:
        called = elsewhere or name
        match = next((each for each in found if _is_called(each, called)), None)
        if match is None:
            raise NotFoundError(f"Nothing here is called {called}. There is: {', '.join(_names(found)) or 'nothing'}.")
        taken.append(replace(match, name=name))
    return taken


def _is_called(found: Found, name: str) -> bool:
    return name in {found.elsewhere, found.elsewhere.rpartition("/")[2]} or found.name == name


def _names(found: list[Found]) -> list[str]:
    return [each.name or each.elsewhere for each in found]


def _entries(found: Found) -> list[Found]:
    try:
        read: Any = json.loads(found.text)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise UsageError(f"{found.source} is no JSON object, so that --each finds no entries in it.")
    entries = cast("dict[str, Any]", read)
    return [
        Found(f"{found.source} {key}", key, value if isinstance(value, str) else json.dumps(value))
        for key, value in entries.items()
    ]


def _environment(wanted: Wanted) -> list[Found]:
    """`PENSTOCK_CREDENTIAL_*`, and variables that are named."""
    found = [
        Found(f"env {key}", key, value, key.removeprefix(PREFIX).lower())
        for key, value in sorted(os.environ.items())
        if key.startswith(PREFIX)
    ]
    known = {each.elsewhere for each in found}
    for _, variable in wanted:
        if variable and variable not in known and os.environ.get(variable):
            found.append(Found(f"env {variable}", variable, os.environ[variable]))
    if not found:
        raise NotFoundError(f"No variable here begins with {PREFIX}. Name another: `import env github=GITHUB_TOKEN`.")
    return found


def _secret(name: str, region: str | None) -> Found:
    def read(session: Any) -> Found:
        answer = session.client("secretsmanager").get_secret_value(SecretId=name)
        text = answer.get("SecretString")
        if text is None:
            try:
                text = bytes(answer["SecretBinary"]).decode()
            except UnicodeDecodeError:
                raise UsageError(f"The secret {name} holds bytes that are no text.") from None
        return Found(f"secretsmanager {name}", name, text)

    return _asked(read, region)


def _parameters(path: str, region: str | None) -> list[Found]:
    def read(session: Any) -> list[Found]:
        ssm = session.client("ssm")
        if not path.endswith("/"):
            alone = ssm.get_parameters(Names=[path], WithDecryption=True)["Parameters"]
            if alone:
                return [_parameter(each) for each in alone]
        below = ssm.get_paginator("get_parameters_by_path")
        pages = below.paginate(Path=path.rstrip("/") or "/", Recursive=True, WithDecryption=True)
        return [_parameter(each) for page in pages for each in page["Parameters"]]

    found = _asked(read, region)
    if not found:
        raise NotFoundError(f"There is no parameter {path}, and none below it.")
    return found


def _parameter(each: dict[str, Any]) -> Found:
    return Found(f"ssm {each['Name']}", each["Name"], each["Value"])


def _asked(read: Callable[[Any], Any], region: str | None) -> Any:
    """What AWS answers; its errors as ours."""
    import boto3  # imported late: it is slow to import
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        return read(boto3.session.Session(region_name=region or os.environ.get("AWS_REGION")))
    except ClientError as error:
        raise _refusal(error.response.get("Error", {})) from error
    except ParamValidationError as error:
        raise UsageError("AWS has no such name. Compare it with the console's.") from error
    except BotoCoreError as error:
        raise NotSentError(
            f"AWS cannot be asked: {str(error).rstrip('.')}. Set AWS_PROFILE or AWS_REGION, or log in."
        ) from error


def _refusal(said: Any) -> PenstockError:
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    if code in _ABSENT:
        return NotFoundError(f"AWS does not have it: {message or code}")
    if code in _REFUSED:
        return ForbiddenError(f"AWS refuses it: {message or code}")
    return ServiceError(f"AWS answered {code}: {message}")

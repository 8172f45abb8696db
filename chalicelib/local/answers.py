"""Reading the API's answers: which statuses go on, and an answer that says no as the error it was made from."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

from chalicelib import errors
from chalicelib.api import errors as api_errors
from chalicelib.errors import PenstockError, Problem, ServiceError
from chalicelib.sandbox import errors as sandbox_errors
from chalicelib.vault import errors as vault_errors

OPEN = frozenset({"queued", "running", "paused", "ending"})
"""Statuses of an execution that goes on."""
_LONGEST = 2000
"""Characters of a detail that are shown: what answers may not be ours."""


def error_from(status: int, body: bytes) -> PenstockError:
    """The error behind a problem+json answer; a ServiceError where the answer is none of the API's."""
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    said = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    if not isinstance(said.get("code"), str):
        return ServiceError(f"The server answered {status}, and not as Penstock does. Is the address right?")
    kind = _by_code().get(said["code"], ServiceError)
    detail = str(said.get("detail") or said.get("title") or "")[:_LONGEST]
    return kind(detail, problems=tuple(_problems(said.get("errors"))))


def _problems(given: Any) -> Iterator[Problem]:
    for each in cast("list[Any]", given) if isinstance(given, list) else ():
        if isinstance(each, dict):
            one = cast("dict[str, Any]", each)
            line, column = one.get("line"), one.get("column")
            yield Problem(
                str(one.get("where", "")),
                line if isinstance(line, int) else 0,
                column if isinstance(column, int) else 0,
                str(one.get("what", "")),
                str(one.get("do", "")),
            )


@cache
def _by_code() -> dict[str, type[PenstockError]]:
    """Every error by its code; where a family and one of its errors share it, the error."""
    rooms = (sandbox_errors, vault_errors, api_errors, errors)
    of_rooms = [each for room in rooms for each in vars(room).values()]
    found = [each for each in of_rooms if isinstance(each, type) and issubclass(each, PenstockError)]
    return {each.code: each for each in found}

"""Reading what a service answered: JSON exactly, text in its charset, the rest as a file."""

import json
import math
import re
from collections.abc import Generator, Mapping
from typing import Any, Final, Literal, cast
from urllib.parse import unquote, urlsplit

from chalicelib.errors import StepFailedError
from chalicelib.kit.values import Ask, Json, PutFile, Response

Form = Literal["auto", "json", "text", "file"]
"""How an answer is read; `auto` goes by its content type."""

_TEXTS: Final = frozenset({"application/xml", "application/x-www-form-urlencoded", "application/javascript"})
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_FILENAME = re.compile(r"""filename="([^"]+)"|filename=([^;\s]+)""", re.IGNORECASE)
_FILENAME_ENCODED = re.compile(r"filename\*=UTF-8''([^;\s]+)", re.IGNORECASE)


def json_of(response: Response) -> Json:
    """The body as JSON, whole numbers exact; null where it is empty. StepFailedError where it is no JSON."""
    if not response.content.strip():
        return None
    try:
        return read_json(response.content)
    except (ValueError, RecursionError) as error:
        raise StepFailedError(
            "The answer is not JSON that can be read; `as: text` or `as: file` takes it as it is."
        ) from error


def read_json(content: bytes) -> Json:
    """JSON that can be stored and handed on.

    ValueError for what is none, for numbers beyond all bounds, and for text that UTF-8 cannot carry; RecursionError
    where it is nested too deeply.
    """
    value: Json = json.loads(content, parse_constant=_refused, parse_float=_finite)
    if _SURROGATE.search(content):  # rare: whole pairs are fine, halves are not
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _refused(name: str) -> None:
    """NaN and the infinities are no JSON."""
    raise ValueError(name)


def _finite(text: str) -> float:
    """A number that a double can hold."""
    number = float(text)
    if math.isinf(number):
        raise ValueError("too large a number")
    return number


def media_type(response: Response) -> str:
    """The content type without its parameters, in lower case; empty where there is none."""
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def form_of(response: Response) -> Form:
    """How `auto` reads an answer."""
    kind = media_type(response)
    if kind == "application/json" or kind.endswith("+json"):
        return "json"
    if kind.startswith("text/") or kind.endswith("+xml") or kind in _TEXTS:
        return "text"
    return "file"


def body_of(response: Response, form: Form, name: str = "") -> Generator[Ask, Any, Json]:
    """The body in the form asked for; a file is kept, and its reference is the body. Empty is null."""
    if form == "auto":
        if not response.content:
            return None
        form = form_of(response)
    if form == "json":
        return json_of(response)
    if form == "text":
        return response.text
    kept = yield PutFile(response.content, name or "body", media_type(response) or "application/octet-stream")
    return kept


def file_name(response: Response, url: str) -> str:
    """A name for what was downloaded: as Content-Disposition says (RFC 6266), else the last part of the path."""
    disposition = response.headers.get("content-disposition", "")
    if encoded := _FILENAME_ENCODED.search(disposition):
        name = unquote(encoded[1])
    elif plain := _FILENAME.search(disposition):
        name = plain[1] or plain[2]
    else:
        name = unquote(urlsplit(url).path.rpartition("/")[2])
    name = re.sub(r"[\x00-\x1f\x7f/\\]", "_", name.rpartition("/")[2].rpartition("\\")[2])
    return name.strip(". ")[:200] or "download"


def at(value: Json, path: str) -> Json:
    """What stands at a dotted path of a JSON value, or None; a number is a place in a list."""
    for part in path.split("."):
        if isinstance(value, dict):
            value = cast("Mapping[str, Json]", value).get(part)
        elif isinstance(value, list) and part.isdecimal():
            rows = cast("list[Json]", value)
            value = rows[int(part)] if int(part) < len(rows) else None
        else:
            return None
    return value


def as_object(value: Json) -> Mapping[str, Json]:
    """A JSON object; an empty one where the value is something else."""
    return cast("Mapping[str, Json]", value) if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """A JSON list; an empty one where the value is something else."""
    return cast("list[Json]", value) if isinstance(value, list) else []

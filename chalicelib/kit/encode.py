"""What a node wants sent, as bytes: method, address, headers, body. Pure, and the same bytes every time.

The worker adds the credential and the idempotency key; the address it gets here is sent byte for byte.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

from chalicelib.errors import ParameterError
from chalicelib.kit.address import filled, is_absolute, joined, percent_encoded, query_text
from chalicelib.kit.headers import checked_headers
from chalicelib.kit.service import Service
from chalicelib.kit.values import ABSENT, Json, Part, Request


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request as it goes out, before it is signed. Header names are in lower case, each of them once."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def encode(
    request: Request,
    service: Service | None,
    *,
    base_url: str = "",
    fields: Mapping[str, Json] | None = None,
    boundary: str | None = None,
) -> Encoded:
    """Encode a request.

    Args:
        request: what the node yielded.
        service: whom it is for; its headers are sent where the request does not say otherwise.
        base_url: the credential's; empty for the service's own.
        fields: fill the braces of the base URL: the node's parameters (the request's own `fills` win).
        boundary: between the parts of a multipart body; None makes one from the parts, the same every time.

    Raises:
        ParameterError: what a parameter led to cannot be sent; the message names it, and never repeats a value.
    """
    base = base_url or (service.base_url if service else "")
    values = {**(fields or {}), **request.fills}
    base = "" if is_absolute(request.path) else filled(base, values)
    url = joined(base, request.path, query_text(request.query) if request.query else "")
    body, content_type = _body(request, boundary)
    try:
        headers = {**checked_headers(service.headers if service else {}), **checked_headers(request.headers)}
    except ValueError as error:
        raise ParameterError(f"with.headers: {error}") from error
    if content_type and (request.parts or "content-type" not in headers):
        headers["content-type"] = content_type
    return Encoded(request.method, url, tuple(headers.items()), body)


def _body(request: Request, boundary: str | None) -> tuple[bytes, str]:
    """The body and its usual content type; empty where there is none."""
    given = (request.json is not ABSENT, request.form is not None, bool(request.parts), request.content is not None)
    if sum(given) > 1:
        raise ParameterError("with: a request has one body: json, form, parts or content")
    if request.json is not ABSENT:
        return json_bytes(request.json), "application/json"
    if request.form is not None:
        return form_bytes(request.form), "application/x-www-form-urlencoded"
    if request.parts:
        chosen = boundary or boundary_of(request.parts)
        return multipart_bytes(request.parts, chosen), f"multipart/form-data; boundary={chosen}"
    if request.content is not None:
        return request.content, "application/octet-stream"
    return b"", ""


def json_bytes(value: Json) -> bytes:
    """A value as JSON: UTF-8, no spaces; ParameterError for what JSON cannot say."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise ParameterError("with: the JSON body holds half a character (a lone surrogate)") from error
    except (ValueError, TypeError) as error:
        raise ParameterError("with: the JSON body holds a value that JSON cannot say, such as an infinity") from error
    except RecursionError as error:
        raise ParameterError("with: the JSON body is nested too deeply") from error


def form_bytes(form: Mapping[str, Json]) -> bytes:
    """A form (application/x-www-form-urlencoded, as the URL standard writes it): a list repeats its name."""
    pairs: list[str] = []
    for name, value in form.items():
        values = cast("Iterable[Json]", value) if isinstance(value, list | tuple) else (value,)
        for one in values:
            if one is not None:
                key, text = (percent_encoded(part, f"with.form.{name[:60]}", safe="* ") for part in (name, one))
                pairs.append(f"{key}={text}".replace(" ", "+").replace("~", "%7E"))
    return "&".join(pairs).encode("ascii")


def boundary_of(parts: Sequence[Part]) -> str:
    """A boundary that occurs in no part: the same parts give the same one."""
    digest = sha256()
    for part in parts:
        for piece in (part.name.encode("utf-8", "replace"), part.content):
            digest.update(len(piece).to_bytes(8, "big") + piece)
    while True:
        boundary = f"penstock-{digest.hexdigest()[:32]}"
        if not any(boundary.encode() in part.content for part in parts):
            return boundary
        digest.update(b"again")


def multipart_bytes(parts: Sequence[Part], boundary: str) -> bytes:
    """A multipart body (RFC 7578; names are written as HTML says, with `"` and line breaks percent-encoded)."""
    pieces: list[bytes] = []
    for part in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(part.name)}"'
        if part.filename is not None:
            head += f'; filename="{_quoted(part.filename)}"'
        if part.type is not None or part.filename is not None:
            try:
                kind = checked_headers({"content-type": part.type or "application/octet-stream"})["content-type"]
            except ValueError as error:
                raise ParameterError(f"with.multipart: {error}") from error
            head += f"\r\nContent-Type: {kind}"
        try:
            pieces += [head.encode(), b"\r\n\r\n", part.content, b"\r\n"]
        except UnicodeEncodeError as error:
            raise ParameterError("with.multipart: a name holds half a character (a lone surrogate)") from error
    return b"".join([*pieces, f"--{boundary}--\r\n".encode()])


def _quoted(text: str) -> str:
    """A name within quotes that it cannot leave (HTML standard, multipart/form-data encoding)."""
    for sign, escape in (("\r", "%0D"), ("\n", "%0A"), ('"', "%22"), ("\0", "%00")):
        text = text.replace(sign, escape)
    return text

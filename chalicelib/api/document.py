"""What a webhook trigger hands over (design 3.4), made from a verified delivery."""

from collections.abc import Mapping
from typing import Final

from chalicelib.api.content import ContentType, content_type, decode, unpack
from chalicelib.api.json_body import read_json
from chalicelib.api.request import Request
from chalicelib.api.times import to_text
from chalicelib.errors import UsageError
from chalicelib.flow.values import Json
from chalicelib.ports import Blobs

SECRET_HEADERS: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "x-amz-security-token"}
)
"""Headers that never reach a flow."""


async def document_of(
    request: Request, *, trigger: str, path: str, secret_header: str, limit: int, blobs: Blobs
) -> dict[str, Json]:
    """The trigger's document; files are put where large bytes lie.

    Args:
        request: the delivery, its sender verified.
        trigger: the trigger's id.
        path: the path as the flow may see it: without the token.
        secret_header: a further header that must not reach the flow, by its lower-case name; empty for none.
        limit: the largest body in bytes, once it is unpacked.
        blobs: where files go: the tenant's (`ports.files`).

    Raises:
        BodyUnreadableError: the body is not what it says it is.
        BodyTooLargeError: it is too large once it is unpacked.
        UsageError: the query holds half a character.
    """
    body, files = await _body(request, limit, blobs)
    queries: dict[str, Json] = {}
    for name, value in request.query:
        values = queries.setdefault(name, [])
        if isinstance(values, list):
            values.append(value)
    if queries:
        _refuse_halves(request.query)
    return {
        "name": trigger,
        "at": to_text(request.received),
        "body": body,
        "headers": shown_headers(request.headers, secret_header),
        "query": {name: values[0] for name, values in queries.items() if isinstance(values, list)},
        "queries": queries,
        "method": request.method,
        "path": path,
        "files": files,
    }


def shown_headers(headers: Mapping[str, str], secret_header: str) -> dict[str, Json]:
    """The headers without those that are secrets."""
    return {name: value for name, value in headers.items() if name not in SECRET_HEADERS and name != secret_header}


async def _body(request: Request, limit: int, blobs: Blobs) -> tuple[Json, dict[str, Json]]:
    """The body and the files, by what its content type says; an empty body is null."""
    headers = request.headers
    raw = unpack(request.body, headers["content-encoding"], limit) if "content-encoding" in headers else request.body
    if not raw:
        return None, {}
    kind = content_type(headers)
    if kind.is_json:
        return read_json(raw), {}
    match kind.kind:
        case "application/x-www-form-urlencoded":
            from chalicelib.api.forms import read_urlencoded  # imported late: most deliveries are JSON

            return read_urlencoded(raw, kind), {}
        case "multipart/form-data":
            return await _multipart(raw, kind, blobs)
        case "":
            return await _untold(raw, blobs), {}
        case _ if kind.is_text:
            return decode(raw, kind), {}
        case _:
            return await _file(raw, "body", kind.kind, blobs), {}


async def _multipart(raw: bytes, kind: ContentType, blobs: Blobs) -> tuple[Json, dict[str, Json]]:
    from chalicelib.api.forms import read_multipart  # imported late, as above

    form = read_multipart(raw, kind)
    files: dict[str, Json] = {}
    for upload in form.files:
        kept = await _file(upload.content, upload.name, upload.type, blobs)
        known = files.get(upload.field)
        if known is None:
            files[upload.field] = kept
        elif isinstance(known, list):
            known.append(kept)
        else:
            files[upload.field] = [known, kept]
    return form.fields, files


async def _untold(raw: bytes, blobs: Blobs) -> Json:
    """A body that says nothing of itself: text if it can be read as UTF-8, else a file."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return await _file(raw, "body", "application/octet-stream", blobs)


async def _file(content: bytes, name: str, kind: str, blobs: Blobs) -> Json:
    return {"file": await blobs.put(content), "name": name, "type": kind, "size": len(content)}


def _refuse_halves(query: tuple[tuple[str, str], ...]) -> None:
    for name, value in query:
        if not (name.isascii() and value.isascii()):
            try:
                (name + value).encode()
            except UnicodeEncodeError:
                raise UsageError("The query holds half a character. Encode it as UTF-8, then percent-encode.") from None

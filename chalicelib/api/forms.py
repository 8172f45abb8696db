"""Forms: fields from `application/x-www-form-urlencoded`, fields and files from `multipart/form-data` (RFC 7578)."""

from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from chalicelib.api.content import ContentType, decode, read_attributes, read_content_type
from chalicelib.errors import BodyUnreadableError
from chalicelib.flow.values import Json

MOST_FIELDS: Final = 1000
_LONGEST_HEAD: Final = 8192
_LONGEST_NAME: Final = 255
_TOO_MANY: Final = f"The form has more than {MOST_FIELDS} fields."


class Upload(NamedTuple):
    """A file in a form."""

    field: str
    name: str
    type: str
    content: bytes


class Form(NamedTuple):
    """A multipart form: its fields as text, and its files."""

    fields: dict[str, Json]
    files: list[Upload]


def read_urlencoded(body: bytes, kind: ContentType) -> dict[str, Json]:
    """The fields; one that stands several times is a list. Raises BodyUnreadableError."""
    fields: dict[str, Json] = {}
    charset = kind.parameters.get("charset", "utf-8")
    text = decode(body, kind)
    if text.count("&") >= MOST_FIELDS:
        raise BodyUnreadableError(_TOO_MANY)
    try:
        pairs = parse_qsl(text, keep_blank_values=True, encoding=charset, errors="strict")
    except UnicodeDecodeError:
        raise BodyUnreadableError(f"A field of the form is not {charset.upper()} once it is decoded.") from None
    for name, value in pairs:
        _add(fields, name, value)
    return fields


def read_multipart(body: bytes, kind: ContentType) -> Form:
    """The fields and files; raises BodyUnreadableError. A file input that was left empty is left out."""
    boundary = kind.parameters.get("boundary", "")
    if not 1 <= len(boundary) <= 70 or not boundary.isascii():  # RFC 2046, section 5.1.1
        raise BodyUnreadableError("The Content-Type multipart/form-data names no boundary of 1 to 70 characters.")
    form = Form({}, [])
    for count, (head, content) in enumerate(_parts(body, b"--" + boundary.encode())):
        if count >= MOST_FIELDS:
            raise BodyUnreadableError(_TOO_MANY)
        _take(form, head, content)
    return form


def _parts(body: bytes, marker: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The head and the content of each part."""
    delimiter = b"\r\n" + marker
    if body.startswith(marker):
        at = len(marker)
    else:  # a preamble, which nobody writes and everybody must skip
        found = body.find(delimiter)
        if found < 0:
            raise BodyUnreadableError("The form's boundary, as Content-Type names it, does not occur in the body.")
        at = found + len(delimiter)
    while body[at : at + 2] != b"--":
        line_end = body.find(b"\r\n", at)
        if line_end < 0 or body[at:line_end].strip(b" \t"):
            raise BodyUnreadableError("A line of the form begins with its boundary and is none.")
        head_end = body.find(b"\r\n\r\n", line_end)
        if head_end < 0 or head_end - line_end > _LONGEST_HEAD:
            raise BodyUnreadableError("A part of the form has no end to its headers.")
        end = body.find(delimiter, head_end + 4)
        if end < 0:
            raise BodyUnreadableError("The form ends before its last boundary.")
        yield body[line_end + 2 : head_end], body[head_end + 4 : end]
        at = end + len(delimiter)


def _take(form: Form, head: bytes, content: bytes) -> None:
    headers: dict[str, str] = {}
    for line in decode(head, ContentType("", {}), "head of a form's part").split("\r\n"):
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    disposition, semicolon, rest = headers.get("content-disposition", "").partition(";")
    attributes = read_attributes(semicolon + rest)
    field = attributes.get("name")
    if disposition.strip().lower() != "form-data" or field is None:
        raise BodyUnreadableError("A part of the form does not say its field's name in Content-Disposition.")
    kind = read_content_type(headers.get("content-type", ""))
    file = attributes.get("filename")
    if file is None:
        _add(form.fields, field, decode(content, kind, "form's field"))
    elif file or content:
        form.files.append(Upload(field, _file_name(file), kind.kind or "application/octet-stream", content))


def _add(fields: dict[str, Json], name: str, value: Json) -> None:
    if name not in fields:
        fields[name] = value
    elif isinstance(known := fields[name], list):
        known.append(value)
    else:
        fields[name] = [known, value]


def _file_name(given: str) -> str:
    """The name without the sender's folders and without control characters."""
    name = given.replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in name if character.isprintable())[:_LONGEST_NAME] or "file"

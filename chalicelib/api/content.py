"""What a body says it is: media type, charset, boundary, encoding; and its bytes once they are unpacked."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from chalicelib.api.errors import AddressTooLongError, HeadersTooLargeError
from chalicelib.api.request import Request
from chalicelib.errors import BodyTooLargeError, BodyUnreadableError

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""Some senders put it before UTF-8; it is no part of the text."""
MOST_ADDRESS: Final = 8_192
MOST_HEADERS: Final = 128
MOST_HEADER_BYTES: Final = 32_768
"""API Gateway takes 10,240 (its quotas); other hosts' senders have long tokens."""
_PARAMETER = re.compile(r';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')
"""RFC 9110, section 5.6.6."""
_CHARSETS = re.compile(r"utf-?8|utf-16(le|be)?|us-ascii|ascii|iso-8859-\d{1,2}|latin-?1|windows-125\d", re.IGNORECASE)
_TEXTS: Final = frozenset(
    {
        "application/xml",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/yaml",
        "application/x-yaml",
        "application/graphql",
        "application/javascript",
        "application/sql",
    }
)


def refuse_size(request: Request, limit: int) -> None:
    """Raise BodyTooLargeError for a body over the limit, by what came or by what was announced."""
    announced = request.headers.get("content-length", "")
    if len(request.body) > limit or (announced.isascii() and announced.isdecimal() and int(announced[:20]) > limit):
        raise BodyTooLargeError(f"The body is over the limit of {limit:,} bytes. Send less, or send a reference.")


def refuse_head(request: Request) -> None:
    """Raise AddressTooLongError or HeadersTooLargeError for more than any request of ours has before its body."""
    if len(request.path) + _query_size(request) > MOST_ADDRESS:
        raise AddressTooLongError(f"The address is over the limit of {MOST_ADDRESS:,} characters. Send less of it.")
    headers = request.raw_headers or tuple(request.headers.items())
    size = 0
    for name, value in headers:
        size += len(name) + len(value)
    if len(headers) > MOST_HEADERS or size > MOST_HEADER_BYTES:
        raise HeadersTooLargeError(
            f"There are {len(headers):,} headers with {size:,} characters. Send no more than {MOST_HEADERS} with "
            f"{MOST_HEADER_BYTES:,}."
        )


def _query_size(request: Request) -> int:
    if request.query_text is not None:
        return len(request.query_text)
    return sum(len(name) + len(value) + 2 for name, value in request.query)


class ContentType(NamedTuple):
    """A Content-Type header, read: the media type in lower case (empty without one) and its parameters."""

    kind: str
    parameters: Mapping[str, str]

    @property
    def is_json(self) -> bool:
        """Whether the body claims to be JSON."""
        return self.kind in {"application/json", "text/json"} or self.kind.endswith("+json")

    @property
    def is_text(self) -> bool:
        """Whether the body claims to be something people can read."""
        return self.kind.startswith("text/") or self.kind in _TEXTS or self.kind.endswith(("+xml", "+yaml"))


def content_type(headers: Mapping[str, str]) -> ContentType:
    """What the body says it is."""
    return read_content_type(headers.get("content-type", ""))


def read_content_type(value: str) -> ContentType:
    """A Content-Type header's value; parameters that cannot be read are left out."""
    kind, semicolon, rest = value.partition(";")
    return ContentType(kind.strip().lower(), read_attributes(semicolon + rest) if rest else {})


def read_attributes(text: str) -> dict[str, str]:
    """`; name="value"; other=value` as a dictionary with names in lower case; the first of a name counts."""
    found: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(text):
        found.setdefault(name.lower(), re.sub(r'\\(["\\])', r"\1", quoted) if quoted else plain)
    return found


def decode(body: bytes, kind: ContentType, what: str = "body") -> str:
    """The bytes as text in the charset they name, else UTF-8; BodyUnreadableError for any other bytes or charset."""
    charset = kind.parameters.get("charset", "utf-8").lower()
    if charset in {"utf-8", "utf8"}:
        charset = "utf-8-sig" if body.startswith(BYTE_ORDER_MARK) else "utf-8"
    elif not _CHARSETS.fullmatch(charset):
        raise BodyUnreadableError(f"The {what} is in a charset that is not read here. Send UTF-8.")
    try:
        return body.decode(charset)
    except UnicodeDecodeError as error:
        raise BodyUnreadableError(
            f"The {what} is not {charset.removesuffix('-sig').upper()}: the byte at offset {error.start} does not fit. "
            "Send UTF-8, or name the charset in Content-Type."
        ) from None
    except LookupError:
        raise BodyUnreadableError(f"There is no charset {charset}. Send UTF-8.") from None


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding; the limit holds for what comes out too."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"} or not body:
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise BodyUnreadableError("This Content-Encoding is not read here. Send the body as it is, or with gzip.")
    import zlib  # imported late: few senders pack

    # 47: gzip or zlib, whichever its header says (zlib manual, inflateInit2).
    stream = zlib.decompressobj(47)
    try:
        unpacked = stream.decompress(body, limit + 1)
    except zlib.error:
        raise BodyUnreadableError(f"The body is not {encoding}, as Content-Encoding says.") from None
    if len(unpacked) > limit:
        raise BodyTooLargeError(f"The body is over the limit of {limit:,} bytes once it is unpacked.")
    if not stream.eof:
        raise BodyUnreadableError(f"The body ends before its {encoding} does.")
    return unpacked

"""Header names and values that may be sent: nothing that starts another header, nothing that reframes the message."""

import re
from collections.abc import Mapping
from typing import Final

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110, section 5.6.2)."""
_VALUE = re.compile(r"[\t\x20-\x7e]*")
"""Visible ASCII, spaces and tabs (RFC 9110, section 5.5, without the obsolete rest)."""

FRAMING: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to the connection or to the message's framing; only the HTTP client writes them."""


def checked_headers(headers: Mapping[str, object]) -> dict[str, str]:
    """The headers with names in lower case and values as text; ValueError where one must not be sent."""
    checked: dict[str, str] = {}
    for given, value in headers.items():
        name = given.lower()
        if not _NAME.fullmatch(name):
            raise ValueError(f"header name {given[:40]!r} has a character that cannot stand there")
        if name in FRAMING:
            raise ValueError(f"header {name[:60]} is written by the connection itself; leave it out")
        if name in checked:
            raise ValueError(f"header {name[:60]} is given twice")
        checked[name] = header_text(name, value)
    return checked


def header_text(name: str, value: object) -> str:
    """A header's value as text; ValueError for line breaks, control characters and what is not ASCII."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str | int | float):
        text = str(value).strip(" \t")
    else:
        raise ValueError(f"header {name[:60]} must be text, a number, true or false")  # noqa: TRY004 - a border: one error
    if not _VALUE.fullmatch(text):
        raise ValueError(f"header {name[:60]} holds a line break or a character outside ASCII; percent-encode it")
    return text

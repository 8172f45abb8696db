"""A request as it came and an answer as it goes out: bytes, whatever the host is.

Named tuples, not dataclasses: one of each is made per delivery, and a cold start defines them in a third of the time.
"""

import json
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

from chalicelib.flow.values import Json

JSON: Final = (("content-type", "application/json"),)


class Request(NamedTuple):
    """One HTTP request.

    Attributes:
        method: in capitals.
        path: still percent-encoded, without the query and without a gateway's stage.
        query: the parameters, decoded, in order, repeated ones too (`read_query`).
        headers: by lower-case name; of a repeated header the first value.
        body: the raw bytes, or as many of them as the host read (one more than the limit is enough).
        received: epoch milliseconds.
        peer: the sender's address; it is not trusted for anything.
        raw_headers: every header in order, names in lower case, where the host has them.
        query_text: the query as it was sent, where the host has it; signatures may cover it.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes
    received: int
    peer: str = ""
    raw_headers: tuple[tuple[str, str], ...] = ()
    query_text: str | None = None

    @property
    def raw_query(self) -> str:
        """The query as text: as sent, or written anew where the host only has its parts."""
        if self.query_text is not None:
            return self.query_text
        return urlencode(self.query, errors="surrogatepass") if self.query else ""


class Answer(NamedTuple):
    """One HTTP answer: header names in lower case, a name may stand several times; the body as it goes out."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value of a header, by its lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


def read_query(text: str) -> tuple[tuple[str, str], ...]:
    """The parameters of a raw query, for hosts that have only that; what is not UTF-8 becomes U+FFFD."""
    return tuple(parse_qsl(text, keep_blank_values=True, errors="replace")) if text else ()


def json_bytes(value: Json | Mapping[str, Json]) -> bytes:
    """The value as compact UTF-8; a lone half of a character, which UTF-8 cannot say, is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def json_answer(value: Json | Mapping[str, Json], status: int = 200) -> Answer:
    """A REST answer."""
    return Answer(status, JSON, json_bytes(value))

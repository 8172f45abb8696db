"""What the HTTP client and its transports say to each other: one request out, one answer in."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from chalicelib.adapters.http_url import Origin
from chalicelib.errors import CutOffError, NotSentError, TimedOutError


@dataclass(slots=True)
class Outgoing:
    """One checked request: `headers` is complete, Host and Content-Length included, and sent as it stands.

    The transport sets `is_connected` when it has a connection: from then on bytes may have left, and only an answer
    tells what became of them. A connection made for a request with `to_own` serves only such. The errors made here
    name the host, never the path or the query.
    """

    method: str
    origin: Origin
    headers: list[tuple[str, str]]
    body: bytes
    connect_seconds: float
    to_own: bool = False
    is_connected: bool = False

    @property
    def where(self) -> str:
        """Whom the request is for, in a message."""
        return f"{self.method} {self.origin.scheme}://{self.origin.authority}"

    def not_sent(self, reason: str) -> NotSentError:
        """There was no connection."""
        return NotSentError(f"{self.where}: {reason}. Nothing was sent.")

    def cut_off(self, reason: str) -> CutOffError:
        """The connection was had, and no whole answer came over it."""
        return CutOffError(f"{self.where}: {reason}. Whether the service acted is unknown.")

    def timed_out(self, seconds: float) -> NotSentError | TimedOutError:
        """The deadline of the whole exchange passed."""
        if not self.is_connected:
            return self.not_sent(f"no connection within {seconds:g} s")
        return TimedOutError(
            f"{self.where}: no whole answer within {seconds:g} s. Whether the service acted is unknown."
        )


class Incoming(Protocol):
    """One answer whose headers are in; names are lower case."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, still compressed.

        Raises:
            CutOffError: it ended before its end.
        """
        ...

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        ...


class Transport(Protocol):
    """Carries requests, each exactly once: no redirect, no cookie, no proxy, no repeat."""

    async def send(self, outgoing: Outgoing) -> Incoming:
        """Send, and return once the answer's headers are in.

        Raises:
            NotSentError: no connection within `connect_seconds`.
            AddressRefusedError: the policy refuses the address that `connect` would get.
            CutOffError: the connection ended first, or what came is not HTTP.
            AnswerTooLargeError: the answer's headers are too long or too many.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


def read_header(name: bytes, value: bytes) -> tuple[str, str]:
    """One header of an answer as text; a value that is not UTF-8 is read as Latin-1, which reads anything."""
    try:
        return name.decode("latin-1").lower(), value.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("latin-1").lower(), value.decode("latin-1")

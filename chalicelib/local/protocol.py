"""HTTP on the wire, as uvicorn has it, for callers who may be anybody: nobody is waited for without end.

uvicorn ends a connection that is idle between two requests, and no other. Here the head of a request comes whole within
its time and its size, and its body within a time that grows with what has come (as Apache's RequestReadTimeout has it),
so that whoever sends a byte now and then holds a connection for seconds, and nothing of ours.
"""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chalicelib.api.answer_headers import guarded
from chalicelib.api.content import MOST_ADDRESS
from chalicelib.api.errors import AddressTooLongError, HeadersTooLargeError, RequestTooSlowError
from chalicelib.api.problems import problem_of
from chalicelib.errors import PenstockError, UsageError

MOST_HEAD = 65_536
"""Bytes of a head that is not whole. The API takes half of it: what is whole and too large is told so there."""
LINGER_SECONDS = 1.0
"""How long what still comes is read and thrown away: closing over it would reset the connection, and what was said be
lost (RFC 9112, section 9.6)."""


class CarefulProtocol(HttpToolsProtocol):
    """One connection."""

    head_seconds: ClassVar[float] = 10.0
    """From the connection, or from the first byte of a request, to the end of its headers."""
    body_seconds: ClassVar[float] = 20.0
    """From there to the end of its body,"""
    body_rate: ClassVar[float] = 4_000.0
    """and a second more for each of so many bytes of it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what uvicorn's own takes."""
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._is_in_head = True
        self._head_size = 0
        self._body_size = 0
        self._body_began = 0.0
        self._is_over = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait(self.head_seconds, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._is_over = True
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless this connection was given up."""
        if self._is_over:
            return
        if self._is_in_head:
            self._head_size += len(data)
            if self._timer is None:
                self._wait(self.head_seconds, self._head_is_late)
        super().data_received(data)
        if self._is_in_head and self._head_size > MOST_HEAD:
            self._refuse(HeadersTooLargeError(f"The headers are over {MOST_HEAD:,} bytes. Send fewer."))

    def on_headers_complete(self) -> None:
        """Begin to wait for the body; what is asked at an address beyond all bounds is not even begun."""
        self._is_in_head = False
        self._head_size = self._body_size = 0
        if len(self.url) > 4 * MOST_ADDRESS:  # what reads it counts in 16 bits
            self._refuse(AddressTooLongError(f"The address is over the limit of {MOST_ADDRESS:,} characters."))
            return
        self._body_began = self.loop.time()
        self._wait(self.body_seconds, self._body_is_late)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count it."""
        if not self._is_over:
            self._body_size += len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._is_over:
            return
        self._stop_waiting()
        self._is_in_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Say it as every error is said."""
        del msg
        self._refuse(UsageError("This is no HTTP request, or not one that every server reads alike."))

    def _head_is_late(self) -> None:
        self._timer = None
        if self._answers_now():  # pipelined: what was asked before is still being answered
            self._wait(self.head_seconds, self._head_is_late)
        else:
            self._refuse(RequestTooSlowError())

    def _body_is_late(self) -> None:
        self._timer = None
        now = self.loop.time()
        if self.flow.read_paused:  # it is we who do not read
            self._body_began = now
        left = self._body_began + self.body_seconds + self._body_size / self.body_rate - now
        if left > 0:
            self._wait(left, self._body_is_late)
        else:
            self._refuse(RequestTooSlowError())

    def _answers_now(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete

    def _wait(self, seconds: float, late: Any) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, late)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, error: PenstockError) -> None:
        """End the connection; with a word, where none of ours is on its way."""
        if self._is_over:
            return
        self._is_over = True
        self._stop_waiting()
        if not self.pipeline and (not self._answers_now() or not self.cycle.response_started):
            self.transport.write(self._raw(error))
            self.transport.write_eof()
        if self._answers_now():  # whoever waits for the rest of the body is told that there is none
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _raw(self, error: PenstockError) -> bytes:
        answer = guarded(problem_of(error), is_encrypted=False)
        headers = [*answer.headers, ("content-length", str(len(answer.body))), ("connection", "close")]
        lines = [f"HTTP/1.1 {answer.status} Refused", *(f"{name}: {value}" for name, value in headers)]
        given = [name + b": " + value for name, value in self.server_state.default_headers]
        return b"\r\n".join(["\r\n".join(lines).encode("latin-1"), *given, b"", answer.body])

"""The transport for hundreds of calls at once: aiohttp, with the policy at the socket and nothing done unasked."""

import io
import ssl
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from functools import partial

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection
from aiohttp.http_exceptions import LineTooLong
from aiohttp.tracing import Trace
from yarl import URL

from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.adapters.http_wire import Outgoing, read_header
from chalicelib.errors import AnswerTooLargeError, PenstockError

_CONNECTIONS = 1024
_KEEP_SECONDS = 20.0
_DNS_SECONDS = 5
_LONGEST_HEADER = 32768
_MOST_HEADERS = 256
# aiohttp writes a larger body in one go, with a warning; from a stream it goes in pieces.
_WHOLE_BODY = 1 << 20

_outgoing: ContextVar[Outgoing] = ContextVar("outgoing")


class AiohttpTransport:
    """Sends one request on a pooled connection; it lives in the event loop of its first request."""

    def __init__(
        self, policy: EgressPolicy, *, tls: Callable[[], ssl.SSLContext], resolver: AbstractResolver | None = None
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._sessions: dict[bool, aiohttp.ClientSession] = {}  # by `to_own`, which a connection is made for

    async def send(self, outgoing: Outgoing) -> "_Answer":
        """Send, and return once the answer's headers are in; see `Transport`."""
        session = self._sessions.get(outgoing.to_own) or self._open(to_own=outgoing.to_own)
        origin, body = outgoing.origin, outgoing.body
        _outgoing.set(outgoing)
        try:
            response = await session.request(
                outgoing.method,
                URL(f"{origin.scheme}://{origin.authority}{origin.target}", encoded=True),
                headers=_spelled_alike(outgoing.headers),
                data=None if not body else body if len(body) < _WHOLE_BODY else io.BytesIO(body),
                allow_redirects=False,
                ssl=self._context() if origin.scheme == "https" else True,
                # The threshold stops aiohttp from rounding up to whole seconds. The whole exchange is timed by the
                # client, which knows whether a connection was had.
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=outgoing.connect_seconds, ceil_threshold=float("inf")
                ),
            )
        except aiohttp.ClientError as error:
            raise _translate(error, outgoing) from error
        return _Answer(response, outgoing)

    async def close(self) -> None:
        """Close every connection."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def _open(self, *, to_own: bool) -> aiohttp.ClientSession:
        connector = _Connector(
            resolver=self._resolver or aiohttp.ThreadedResolver(),
            # Called with the very address that connect() gets next, so a cached or changed name changes nothing.
            socket_factory=partial(self._policy.open_socket, to_own=to_own),
            happy_eyeballs_delay=None,
            ttl_dns_cache=_DNS_SECONDS,
            limit=_CONNECTIONS,
            keepalive_timeout=_KEEP_SECONDS,
        )
        session = self._sessions[to_own] = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=(hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE),
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
            max_headers=_MOST_HEADERS,
            middlewares=(_send_once,),
        )
        return session

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = self._make_tls()
        return self._tls


class _Connector(aiohttp.TCPConnector):
    """Notes that a connection was had, before the first byte of the request is written."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  aiohttp's signature
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _outgoing.get().is_connected = True
        return connection


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    # aiohttp repeats an idempotent request once when a pooled connection turns out dead, on ClientOSError and
    # ServerDisconnectedError. The worker alone decides what is repeated: translated here, they are not seen there.
    try:
        return await handler(request)
    except aiohttp.ClientError as error:
        raise _translate(error, _outgoing.get()) from error


def _spelled_alike(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    # Of two headers that differ in case alone, aiohttp keeps only the second.
    spelling: dict[str, str] = {}
    return [(spelling.setdefault(name.lower(), name), value) for name, value in headers]


def _translate(error: aiohttp.ClientError, outgoing: Outgoing) -> PenstockError:
    """The one table from what aiohttp reports to what may be concluded; order matters, since its classes overlap."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return outgoing.not_sent(f"no connection within {outgoing.connect_seconds:g} s")
        case aiohttp.ClientConnectorError():
            return outgoing.not_sent(_reason(error))
        case aiohttp.ClientResponseError() if _is_too_long(error):
            return AnswerTooLargeError(f"{outgoing.where}: the answer has a header over {_LONGEST_HEADER} bytes.")
        case aiohttp.ClientResponseError():
            return outgoing.cut_off("the answer is not HTTP")
        case _:
            return outgoing.cut_off("the connection was closed before the answer was whole")


def _is_too_long(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, LineTooLong):
        error = error.__cause__
    return error is not None


def _reason(error: aiohttp.ClientConnectorError) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "the name is not known"
        case aiohttp.ClientConnectorCertificateError():
            return "the certificate is not valid for this name"
        case aiohttp.ClientSSLError():
            return "no TLS connection"
        case _:
            return error.os_error.strerror or "no connection"


class _Answer:
    """aiohttp's response as an `Incoming`."""

    __slots__ = ("_outgoing", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, outgoing: Outgoing) -> None:
        self._response = response
        self._outgoing = outgoing
        self.status = response.status
        self.headers = tuple(read_header(name, value) for name, value in response.raw_headers)

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except aiohttp.ClientError as error:
            raise _translate(error, self._outgoing) from error

    def close(self) -> None:
        if self._response.content.is_eof():
            self._response.release()
        else:
            self._response.close()

"""The one HTTP client: what a flow calls, and what the engine calls, go out through here.

What every call gets: the egress policy asked at the URL and at the socket; exact bytes of the URL; no redirects,
cookies, proxies or repeats; a limit on the answer after decompression; one deadline for the whole exchange; and an
honest error. Two transports carry them: `http_aiohttp` for what flows call, `http_light` for the engine's own calls.
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from chalicelib.adapters.http_body import ACCEPTED_CODINGS, read_body
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.adapters.http_url import Origin
from chalicelib.adapters.http_wire import Outgoing, Transport
from chalicelib.errors import ParameterError
from chalicelib.ports import HttpAnswer, HttpRequest

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver

_CONNECT_SECONDS = 10.0
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_MOST_HEADERS = 100
_MOST_HEADER_CHARACTERS = 65536
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))
# The connection is ours: whoever may set these can smuggle a second request, or hang the first (RFC 9110, 7.6.1).
_OUR_HEADERS = frozenset(
    (
        *("connection", "expect", "keep-alive", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)


class HttpClient:
    """Sends requests and reads whole answers; it belongs to the event loop it was first used in."""

    def __init__(
        self,
        policy: EgressPolicy,
        make_transport: Callable[[], Transport],
        *,
        connect_seconds: float = _CONNECT_SECONDS,
        accept_encoding: str = ACCEPTED_CODINGS,
    ) -> None:
        """Take a policy and the transport's maker, which is called at the first request.

        Args:
            policy: which addresses may be called; the transport must hold the same one.
            make_transport: makes what carries the requests; `client_for_flows` and `client_for_engine` know two.
            connect_seconds: how long a connection may take, name look-up and waiting for a free one included.
            accept_encoding: sent with a request that has no Accept-Encoding of its own; empty sends none.
        """
        self._policy = policy
        self._make_transport = make_transport
        self._connect_seconds = connect_seconds
        self._accept_encoding = accept_encoding
        self._transport: Transport | None = None

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Send one request, once, and read its whole answer; any status is an answer, a redirect too.

        A body in gzip or deflate is decompressed, and `content-encoding` and `content-length` are left out with it.

        Raises:
            ParameterError: the method or a header cannot be sent.
            AddressRefusedError, HostNotListedError, OwnAddressError: the policy refuses the URL or an address it leads
                to; nothing was sent.
            NotSentError: no connection; nothing was sent.
            TimedOutError: no whole answer within `timeout_seconds`; whether the service acted is unknown.
            CutOffError: the connection ended, or the answer is unreadable; whether the service acted is unknown.
            AnswerTooLargeError: the service answered with more than `limit_bytes`.
        """
        outgoing = self._prepare(request)
        if self._transport is None:
            self._transport = self._make_transport()
        try:
            async with asyncio.timeout(request.timeout_seconds):
                return await _exchange(self._transport, outgoing, request.limit_bytes)
        except TimeoutError as error:
            raise outgoing.timed_out(request.timeout_seconds) from error

    async def forget_connections(self) -> None:
        """Drop every pooled connection, as after a long freeze; to be called while no request is in flight."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    async def close(self) -> None:
        """Close every connection; the next request would open new ones."""
        await self.forget_connections()

    def _prepare(self, request: HttpRequest) -> Outgoing:
        origin = self._policy.check_url(request.url, to_own=request.to_own)
        method = request.method
        if method not in _WITH_BODY and (not _TOKEN.fullmatch(method) or method.upper() == "CONNECT"):
            raise ParameterError("The method is not one that can be sent. Use GET, POST, PUT, PATCH, DELETE or HEAD.")
        headers = [("Host", origin.authority)]
        names = _check_headers(request, origin, headers)
        if request.body or method in _WITH_BODY:
            headers.append(("Content-Length", str(len(request.body))))
        if self._accept_encoding and "accept-encoding" not in names:
            headers.append(("Accept-Encoding", self._accept_encoding))
        return Outgoing(method, origin, headers, request.body, self._connect_seconds, request.to_own)


def client_for_flows(
    policy: EgressPolicy,
    *,
    resolver: "AbstractResolver | None" = None,
    tls: Callable[[], ssl.SSLContext] | None = None,
    connect_seconds: float = _CONNECT_SECONDS,
) -> HttpClient:
    """The client for what flows call: made for hundreds of calls at once; aiohttp is imported at the first of them."""

    def make() -> Transport:
        from chalicelib.adapters.http_aiohttp import AiohttpTransport

        return AiohttpTransport(policy, resolver=resolver, tls=tls or trusted_certificates)

    return HttpClient(policy, make, connect_seconds=connect_seconds)


def client_for_engine(
    policy: EgressPolicy, *, tls: Callable[[], ssl.SSLContext] | None = None, connect_seconds: float = 5.0
) -> HttpClient:
    """The client for the engine's own calls to its cloud: few at once, cheap to import; it asks for no compression."""

    def make() -> Transport:
        from chalicelib.adapters.http_light import LightTransport

        return LightTransport(policy, tls=tls or trusted_certificates)

    return HttpClient(policy, make, connect_seconds=connect_seconds, accept_encoding="")


def trusted_certificates() -> ssl.SSLContext:
    """The TLS settings of every call: the authorities in certifi's list, or where SSL_CERT_FILE points."""
    import os
    from importlib.util import find_spec

    # Only the list is wanted: importing certifi brings archives and temporary files along, 5 ms of a cold start.
    found = find_spec("certifi")
    beside = os.path.join(os.path.dirname(found.origin), "cacert.pem") if found and found.origin else None  # noqa: PTH118, PTH120
    return ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or beside)


async def _exchange(transport: Transport, outgoing: Outgoing, limit: int) -> HttpAnswer:
    incoming = await transport.send(outgoing)
    headers = incoming.headers
    known = dict(headers)
    try:
        body, is_decompressed = await read_body(
            incoming.chunks(),
            # A HEAD has the headers of a body that does not come.
            "" if outgoing.method == "HEAD" else ",".join(v for name, v in headers if name == "content-encoding"),
            limit,
            None if outgoing.method == "HEAD" else known.get("content-length"),
        )
    finally:
        incoming.close()
    if is_decompressed:
        headers = tuple(pair for pair in headers if pair[0] not in ("content-encoding", "content-length"))
    return HttpAnswer(incoming.status, headers, body)


def _check_headers(request: HttpRequest, origin: Origin, headers: list[tuple[str, str]]) -> set[str]:
    """Add the caller's headers, without the two we write ourselves; return the names, in lower case."""
    if len(request.headers) > _MOST_HEADERS:
        raise ParameterError(f"The request has more than {_MOST_HEADERS} headers. Send fewer.")
    names: set[str] = set()
    size = 0
    for name, value in request.headers:
        if not _TOKEN.fullmatch(name):
            raise ParameterError("A header's name contains a character that is not allowed. Use letters, digits and -.")
        if _BREAKS.search(value):
            raise ParameterError(f"The header {name} contains a line break or control character. Take it out.")
        known = name.lower()
        if known in _OUR_HEADERS:
            raise ParameterError(f"The header {name} belongs to the connection, not to the request. Leave it out.")
        if known == "host":
            if value.lower() not in (origin.authority, f"{origin.authority}:{origin.port}"):
                raise ParameterError("The Host header differs from the URL's host. Leave it out.")
        elif known == "content-length":
            if value != str(len(request.body)):
                raise ParameterError("The Content-Length header differs from the body's length. Leave it out.")
        else:
            headers.append((name, value.strip(" \t")))
            names.add(known)
            size += len(name) + len(value)
    if size > _MOST_HEADER_CHARACTERS:
        raise ParameterError(f"The request's headers are over {_MOST_HEADER_CHARACTERS} characters. Send less in them.")
    return names

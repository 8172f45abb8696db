"""The transport for the engine's own calls: HTTP/1.1 by h11 on asyncio's streams, cheap to import and to use.

It exists for the cold start: aiohttp takes 110 ms to import, httpx with its pool 40, this 7. It speaks to the endpoints
of one cloud, a few calls at a time.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence

import h11

from chalicelib.adapters.http_guard import AddressInfo, EgressPolicy
from chalicelib.adapters.http_wire import Outgoing, read_header
from chalicelib.errors import AnswerTooLargeError

# Services close idle connections after a minute or so; we do first.
_KEEP_SECONDS = 20.0
_LONGEST_HEADERS = 65536
_READ = 65536


class LightTransport:
    """Sends one request on a kept or new connection; it lives in the event loop of its first request."""

    def __init__(self, policy: EgressPolicy, *, tls: Callable[[], ssl.SSLContext]) -> None:
        self._policy = policy
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._idle: dict[tuple[str, str, int, bool], list[_Link]] = {}
        self._is_closed = False

    async def send(self, outgoing: Outgoing) -> "_Answer":
        """Send, and return once the answer's headers are in; see `Transport`."""
        link = self._take(outgoing) or await self._connect(outgoing)
        outgoing.is_connected = True
        try:
            return _Answer(link, outgoing, await link.ask(outgoing), self._keep)
        except BaseException:
            link.abort()
            raise

    async def close(self) -> None:
        """Close every idle connection; those in use close when their answer is read.

        No goodbye is said: after a freeze the peer may be gone, and TLS would wait half a minute for its answer.
        """
        self._is_closed = True
        idle, self._idle = self._idle, {}
        for link in (link for links in idle.values() for link in links):
            link.abort()
        await asyncio.sleep(0)  # asyncio closes the sockets in its next turn

    def _take(self, outgoing: Outgoing) -> "_Link | None":
        links = self._idle.get(_key(outgoing), [])
        now = asyncio.get_running_loop().time()
        while links:
            link = links.pop()
            if link.is_usable and now - link.idle_since < _KEEP_SECONDS:
                return link
            link.abort()
        return None

    def _keep(self, link: "_Link", outgoing: Outgoing) -> None:
        if self._is_closed:
            link.abort()
            return
        link.idle_since = asyncio.get_running_loop().time()
        self._idle.setdefault(_key(outgoing), []).append(link)

    async def _connect(self, outgoing: Outgoing) -> "_Link":
        origin = outgoing.origin
        if origin.scheme == "https" and self._tls is None:
            self._tls = self._make_tls()
        context = self._tls if origin.scheme == "https" else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(outgoing.connect_seconds):
                found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
                for info in found:
                    self._policy.check_address(str(info[4][0]), int(info[4][1]), to_own=outgoing.to_own)
                reader, writer = await self._connect_first(found, context, outgoing)
        except TimeoutError as error:
            raise outgoing.not_sent(f"no connection within {outgoing.connect_seconds:g} s") from error
        except socket.gaierror as error:
            raise outgoing.not_sent("the name is not known") from error
        except ssl.SSLCertVerificationError as error:
            raise outgoing.not_sent("the certificate is not valid for this name") from error
        except OSError as error:
            raise outgoing.not_sent(error.strerror or "no connection") from error
        return _Link(reader, writer)

    async def _connect_first(
        self, found: Sequence[AddressInfo], context: ssl.SSLContext | None, outgoing: Outgoing
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        failure = OSError("the name has no address")
        for info in found:
            sock = self._policy.open_socket(info, to_own=outgoing.to_own)
            sock.setblocking(False)  # noqa: FBT003  the standard library's signature
            try:
                await loop.sock_connect(sock, info[4])
            except OSError as error:
                sock.close()
                failure = error
                continue
            except BaseException:
                sock.close()
                raise
            # From here asyncio owns the socket: it closes it if the handshake fails.
            name = outgoing.origin.host.rstrip(".") if context else None
            return await asyncio.open_connection(sock=sock, ssl=context, server_hostname=name)
        raise failure


def _key(outgoing: Outgoing) -> tuple[str, str, int, bool]:
    """What a kept connection must have been made for."""
    origin = outgoing.origin
    return (origin.scheme, origin.host, origin.port, outgoing.to_own)


class _Link:
    """One connection and where it is in HTTP's turns."""

    __slots__ = ("_protocol", "_reader", "_writer", "idle_since")

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEADERS)
        self.idle_since = 0.0

    @property
    def is_usable(self) -> bool:
        """Nobody closed it, and nothing came that nobody asked for."""
        return not (self._writer.is_closing() or self._reader.at_eof() or self._protocol.trailing_data[0])

    @property
    def is_spent(self) -> bool:
        """It cannot carry another request."""
        return self._protocol.our_state is not h11.DONE or self._protocol.their_state is not h11.DONE

    async def ask(self, outgoing: Outgoing) -> h11.Response:
        """Send the request and wait for the answer's head."""
        headers = [(name.encode("ascii"), value.encode("utf-8")) for name, value in outgoing.headers]
        request = h11.Request(method=outgoing.method, target=outgoing.origin.target, headers=headers)
        parts = [self._protocol.send(request)]
        if outgoing.body:
            parts.append(self._protocol.send(h11.Data(data=outgoing.body)))
        parts.append(self._protocol.send(h11.EndOfMessage()))
        try:
            self._writer.writelines([part for part in parts if part])
            await self._writer.drain()
        except OSError as error:
            raise outgoing.cut_off("the connection was closed while sending") from error
        while True:
            event = await self.next_event(outgoing)
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise outgoing.cut_off("the connection was closed before the answer")

    async def next_event(self, outgoing: Outgoing) -> h11.Event | None:
        """The next piece of the answer; None where HTTP ends, as after a change of protocol."""
        while True:
            try:
                event = self._protocol.next_event()
            except h11.RemoteProtocolError as error:
                if error.error_status_hint == 431:
                    raise AnswerTooLargeError(
                        f"{outgoing.where}: the answer's headers are over {_LONGEST_HEADERS} bytes."
                    ) from error
                raise outgoing.cut_off("the answer was cut, or is not HTTP") from error
            if event is not h11.NEED_DATA:
                return event if isinstance(event, h11.Event) else None
            try:
                data = await self._reader.read(_READ)
            except OSError as error:
                raise outgoing.cut_off("the connection was closed before the answer was whole") from error
            self._protocol.receive_data(data)

    def renew(self) -> None:
        """Make it ready for the next request."""
        self._protocol.start_next_cycle()

    def abort(self) -> None:
        """Close it at once."""
        self._writer.transport.abort()


class _Answer:
    """h11's events as an `Incoming`."""

    __slots__ = ("_is_whole", "_keep", "_link", "_outgoing", "headers", "status")

    def __init__(
        self, link: _Link, outgoing: Outgoing, response: h11.Response, keep: Callable[[_Link, Outgoing], None]
    ) -> None:
        self._link = link
        self._outgoing = outgoing
        self._keep = keep
        self._is_whole = False
        self.status = response.status_code
        self.headers = tuple(read_header(name, value) for name, value in response.headers)

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            event = await self._link.next_event(self._outgoing)
            if not isinstance(event, h11.Data):
                self._is_whole = isinstance(event, h11.EndOfMessage)
                return
            yield bytes(event.data)

    def close(self) -> None:
        if not self._is_whole or self._link.is_spent:
            self._link.abort()
            return
        self._link.renew()
        self._keep(self._link, self._outgoing)

"""Bytes on a socket that are no HTTP, or hardly: what a server on the open internet is sent."""

import random
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE_SECONDS = 20.0
_GET = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n"
_POST = b"POST /hooks/echo/placed HTTP/1.1\r\nHost: localhost\r\n"
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"

GOOD: tuple[bytes, ...] = (
    _GET + b"\r\n",
    _GET + b"Connection: close\r\n\r\n",
    _POST + b"Content-Length: 2\r\n\r\n{}",
    _CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
    _GET + b"\r\n" + _GET + b"\r\n" + _GET + b"Connection: close\r\n\r\n",
    b"GET /api/v1/flows?limit=5 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n\r\n",
    b"PUT /api/v1/flows/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/yaml\r\nContent-Length: 7\r\n\r\nflow: a",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
)
"""What a well-behaved client sends."""

BAD: dict[str, bytes] = {
    "nothing": b"",
    "a line end alone": b"\r\n\r\n",
    "null bytes": b"\x00" * 64,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "HTTP/0.9": b"GET /\r\n",
    "a version there is not": b"GET / HTTP/9.9\r\n\r\n",
    "no version": b"GET / \r\nHost: localhost\r\n\r\n",
    "no host": b"GET /api/v1/health HTTP/1.1\r\n\r\n",
    "two hosts": _GET + b"Host: b\r\n\r\n",
    "no method": b" / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method of its own": b"BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method without end": b"A" * 100_000 + b" / HTTP/1.1\r\n\r\n",
    "a target without end": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a null byte in the path": b"GET /a\x00b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no UTF-8 in the path": b"GET /\xff\xfe/\xc3\x28 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "escapes of no UTF-8": b"GET /api/v1/flows/%ff%fe%c3%28 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "escapes that are none": b"GET /api/v1/flows/%zz%2 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a null byte that is escaped": b"GET /api/v1/nodes/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "dots": b"GET /api/v1/../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a whole URL": b"GET http://evil.example/api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a fragment": b"GET /a#b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a query of no UTF-8": b"GET /api/v1/flows?limit=%ff&\xff=\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a header without a colon": _GET + b"nonsense\r\n\r\n",
    "a header without a name": _GET + b": x\r\n\r\n",
    "a folded header": _GET + b"X: a\r\n b\r\n\r\n",
    "a blank before the colon": _GET + b"X : a\r\n\r\n",
    "a null byte in a header": _GET + b"X: a\x00b\r\n\r\n",
    "no ASCII in a header": _GET + b"X: \xff\xfe\xe2\x80\xae\r\n\xc3\xa9: y\r\n\r\n",
    "line ends that are none": b"GET /api/v1/health HTTP/1.1\nHost: localhost\n\n",
    "a lone carriage return": _GET + b"X: a\rY: b\r\n\r\n",
    "a header without end": _GET + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "headers without end": _GET + b"".join(b"X-%d: a\r\n" % n for n in range(20_000)) + b"\r\n",
    "a length that is none": _POST + b"Content-Length: many\r\n\r\n{}",
    "a length below nothing": _POST + b"Content-Length: -1\r\n\r\n{}",
    "a length beyond all": _POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "a length with a sign": _POST + b"Content-Length: +2\r\n\r\n{}",
    "two lengths": _POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "a length and chunks": _POST
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    "a coding there is not": _POST + b"Transfer-Encoding: rot13\r\n\r\n{}",
    "chunked, but not last": _POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": _POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a body that is cut": _POST + b"Content-Length: 1000\r\n\r\n{",
    "chunks that are cut": _CHUNKED + b"ff\r\n{",
    "a chunk's size that is none": _CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "a chunk's size beyond all": _CHUNKED + b"f" * 40 + b"\r\n{}\r\n0\r\n\r\n",
    "a chunk's size below nothing": _CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": _CHUNKED + b"2\r\n{}{}\r\n0\r\n\r\n",
    "a chunk's extension without end": _CHUNKED + b"2;" + b"a" * 500_000 + b"\r\n{}\r\n0\r\n\r\n",
    "a trailer": _CHUNKED + b"2\r\n{}\r\n0\r\nX: y\r\nContent-Length: 5\r\n\r\n",
    "chunks of one byte": _CHUNKED + b"1\r\na\r\n" * 5_000 + b"0\r\n\r\n",
    "a body over the limit": _POST + b"Content-Length: 3000000\r\n\r\n" + b"a" * 3_000_000,
    "a body over the limit, in chunks": _CHUNKED + (b"10000\r\n" + b"a" * 65_536 + b"\r\n") * 40 + b"0\r\n\r\n",
    "a body nobody asked for": _GET + b"Content-Length: 5\r\n\r\nhello" + _GET + b"\r\n",
    "it waits to be told to go on": _POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "it expects what there is not": _POST + b"Expect: the-unexpected\r\nContent-Length: 2\r\n\r\n{}",
    "a websocket": _GET
    + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "HTTP/2 over this": _GET + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAAA\r\n\r\n",
    "many after each other": (_GET + b"\r\n") * 300,
    "one after a broken one": b"\x00\xff\r\n\r\n" + _GET + b"\r\n",
}
"""By what is wrong with it."""

_PIECES = (
    *(b"\r\n", b"\n", b"\r", b"\x00", b"\xff", b" ", b"\t", b":", b"HTTP/1.1", b"Content-Length: 5\r\n", b"\r\n\r\n"),
    *(
        b"Transfer-Encoding: chunked\r\n",
        b"0\r\n\r\n",
        b"Connection: keep-alive\r\n",
        b"%00",
        b"%",
        b"?",
        b"#",
        b"GET ",
        b"ffffffff\r\n",
    ),
)


def broken(dice: random.Random) -> bytes:
    """A request of a well-behaved client, or one of the others, with some of it changed."""
    raw = bytearray(dice.choice(GOOD if dice.random() < 0.7 else tuple(BAD.values()))[:20_000])
    for _ in range(1 + int(dice.expovariate(0.7))):
        at = dice.randrange(len(raw) + 1)
        match dice.randrange(5):
            case 0:
                raw[at:at] = dice.choice(_PIECES)
            case 1:
                del raw[at : at + dice.randrange(1, 12)]
            case 2 if raw:
                raw[at % len(raw)] = dice.randrange(256)
            case 3:
                raw[at:at] = raw[at : at + 40]
            case _:
                del raw[at:]
    return bytes(raw)


@dataclass(frozen=True)
class Heard:
    """What came back: the bytes, and whether the other side closed in time."""

    content: bytes
    is_closed: bool

    @property
    def statuses(self) -> list[int]:
        """The status of each answer that begins a line."""
        parts = self.content.split(b"HTTP/1.1 ")[1:]
        return [int(part[:3]) for part in parts if part[:3].isdigit()]


def heard(url: str, content: bytes, *, is_half_closed: bool = True) -> Heard:
    """Send the bytes, say that no more will come, and listen until the other side closes."""
    place = urlsplit(url)
    assert place.hostname is not None
    found = bytearray()
    with socket.create_connection((place.hostname, place.port or 80), timeout=PATIENCE_SECONDS) as connection:
        try:
            connection.sendall(content)
            if is_half_closed:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has closed before it had everything, as it may
        while True:
            try:
                piece = connection.recv(65_536)
            except TimeoutError:
                return Heard(bytes(found), is_closed=False)
            except OSError:
                return Heard(bytes(found), is_closed=True)
            if not piece:
                return Heard(bytes(found), is_closed=True)
            found += piece

"""Bodies signed piece by piece: S3's aws-chunked uploads with their trailers, and event streams.

Each piece's signature covers the one before it, so that none can be dropped, moved or repeated. The chain starts at
the signature of the request's headers (the seed), signed with a `STREAMING_...` marker in place of a payload hash.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from chalicelib.signing.canonical import EMPTY_HASH, canonical_headers
from chalicelib.signing.forms import AwsKeys, timestamp
from chalicelib.signing.sigv4 import credential_scope, sign_text

PAYLOAD_ALGORITHM: Final = "AWS4-HMAC-SHA256-PAYLOAD"
TRAILER_ALGORITHM: Final = "AWS4-HMAC-SHA256-TRAILER"
_SIGNATURE_LENGTH = 64


@dataclass(frozen=True, slots=True)
class ChunkSigner:
    """Whose body it is, and the scope of the request that carries it; `now` is the request's own time."""

    keys: AwsKeys
    region: str
    service: str
    now: datetime

    def chunk_text(self, previous: str, data: bytes) -> str:
        """The string to sign of one chunk (S3 API Reference, "Transferring payload in multiple chunks")."""
        return f"{self._head(PAYLOAD_ALGORITHM)}\n{previous}\n{EMPTY_HASH}\n{sha256(data).hexdigest()}"

    def trailer_text(self, previous: str, trailers: Sequence[tuple[str, str]]) -> str:
        """The string to sign of the trailing headers, in their canonical form."""
        block, _ = canonical_headers(trailers, frozenset())
        return f"{self._head(TRAILER_ALGORITHM)}\n{previous}\n{sha256(block.encode()).hexdigest()}"

    def event_text(self, previous: str, payload: bytes) -> str:
        """The string to sign of one event, whose only header is its `:date`; `now` is the event's time."""
        headers = sha256(event_date_header(self.now)).hexdigest()
        return f"{self._head(PAYLOAD_ALGORITHM)}\n{previous}\n{headers}\n{sha256(payload).hexdigest()}"

    def sign(self, text: str) -> str:
        """The signature of a string to sign, as 64 hexadecimal digits."""
        return sign_text(text, self.keys, timestamp(self.now), self.region, self.service)

    def _head(self, algorithm: str) -> str:
        stamp = timestamp(self.now)
        return f"{algorithm}\n{stamp}\n{credential_scope(stamp, self.region, self.service)}"


def event_date_header(at: datetime) -> bytes:
    """The event-stream header `:date` in bytes: name, type 8 (timestamp), milliseconds since 1970."""
    milliseconds = round((at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    return b"\x05:date\x08" + milliseconds.to_bytes(8, "big", signed=True)


def chunked_body(
    pieces: Iterable[bytes], signer: ChunkSigner, seed: str, trailers: Sequence[tuple[str, str]] = ()
) -> Iterator[bytes]:
    """Frame and sign a body for `Content-Encoding: aws-chunked`; the last chunk, empty, and the trailers included.

    S3 wants pieces of at least 8 KB, all of one size but the last. Empty pieces are left out, for an empty chunk ends
    the body.
    """
    previous = seed
    for piece in _and_end(pieces):
        previous = signer.sign(signer.chunk_text(previous, piece))
        head = f"{len(piece):x};chunk-signature={previous}\r\n".encode()
        if piece:
            yield head + piece + b"\r\n"
        elif trailers:
            lines = "".join(f"{name}:{value}\r\n" for name, value in trailers)
            last = signer.sign(signer.trailer_text(previous, trailers))
            yield head + f"{lines}x-amz-trailer-signature:{last}\r\n\r\n".encode()
        else:
            yield head + b"\r\n"


def _and_end(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if piece:
            yield piece
    yield b""


def chunked_length(sizes: Iterable[int], trailers: Sequence[tuple[str, str]] = ()) -> int:
    """The Content-Length of `chunked_body` for pieces of these sizes in bytes, known before anything is signed."""
    head = len(";chunk-signature=") + _SIGNATURE_LENGTH + len("\r\n")
    total = sum(len(f"{size:x}") + head + size + len("\r\n") for size in sizes if size) + len("0") + head + len("\r\n")
    if trailers:
        total += sum(len(f"{name}:{value}\r\n".encode()) for name, value in trailers)
        total += len("x-amz-trailer-signature:") + _SIGNATURE_LENGTH + len("\r\n")
    return total

"""Reads an answer's body within a limit, decompressing only what can be decompressed in bounded steps."""

import zlib
from collections.abc import AsyncIterator

from chalicelib.errors import AnswerTooLargeError, CutOffError

# What we ask for. Brotli and zstd would need libraries that hand back a whole chunk however large it becomes.
ACCEPTED_CODINGS = "gzip, deflate"
_STEP = 65536
# What is fed in at once: many small gzip members in one piece would each copy the rest of it.
_BITE = 8192


async def read_body(chunks: AsyncIterator[bytes], coding: str, limit: int, length: str | None) -> tuple[bytes, bool]:
    """The body, decompressed, and whether it had to be.

    Both the bytes on the wire and what they become are held against `limit`; no step makes more than 64 KB, so a bomb
    costs the limit and nothing beyond. `coding` is the Content-Encoding, of several headers joined by commas, and
    `length` the Content-Length; one coding that is not ours is handed over as it came.

    Raises:
        AnswerTooLargeError: there is more than `limit`.
        CutOffError: the compressed data is damaged, or ends before its end; or there is more than one coding.
    """
    inflate = _inflater(coding)
    if inflate is None:
        if length is not None and length.isascii() and length.isdigit() and int(length) > limit:
            raise _too_large(limit)
        return await _read_plain(chunks, limit), False
    received = 0
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > limit + _STEP:
            raise _too_large(limit)
        for start in range(0, len(chunk), _BITE):
            bite = chunk[start : start + _BITE]
            while part := inflate.take(bite):
                bite = b""  # what is left of it waits inside the inflater
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
                parts.append(part)
    if received and not inflate.is_whole:
        raise CutOffError("The answer's compressed body ends too early. Whether the service acted is unknown.")
    return b"".join(parts), received > 0


async def _read_plain(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        parts.append(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(limit: int) -> AnswerTooLargeError:
    return AnswerTooLargeError(f"The answer is over the limit of {limit} bytes. Ask for less, or page through it.")


def _inflater(coding: str) -> "_Inflater | None":
    codings = [word for each in coding.lower().split(",") if (word := each.strip()) not in ("", "identity")]
    match codings:
        case ["gzip" | "x-gzip"]:
            return _Inflater(zlib.MAX_WBITS | 16)
        case ["deflate"]:
            return _Inflater(zlib.MAX_WBITS)
        case [] | [_]:
            return None
        case _:  # nobody compresses twice but to hide how much it becomes
            raise CutOffError("The answer's body is compressed more than once. Whether the service acted is unknown.")


class _Inflater:
    """Decompresses gzip (of several members too) or deflate (with its zlib header or without) in bounded steps."""

    __slots__ = ("_bits", "_ended", "_rest", "_started", "_stream")

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._stream = zlib.decompressobj(bits)
        self._rest = b""
        self._started = False
        self._ended = False

    @property
    def is_whole(self) -> bool:
        """The stream came to its own end."""
        return self._ended or self._stream.eof

    def take(self, chunk: bytes) -> bytes:
        """The next piece, of at most 64 KB; empty when more input is needed.

        Raises:
            CutOffError: the data is not what the header says.
        """
        data = self._rest + chunk if self._rest else chunk
        self._rest = b""
        while data and not self._ended:
            if self._stream.eof:
                if data == b"\x1f":  # maybe the first half of what the next member begins with
                    self._rest = data
                    return b""
                if not data.startswith(b"\x1f\x8b"):  # padding after the last member, which gzip itself ignores
                    self._ended = True
                    return b""
                self._stream = zlib.decompressobj(self._bits)
            part = self._inflate(data)
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if part:
                self._rest = data
                return part
            if not self._stream.eof:
                self._rest = data
                return b""
            self._ended = self._bits <= zlib.MAX_WBITS
        return b""

    def _inflate(self, data: bytes) -> bytes:
        try:
            part = self._stream.decompress(data, _STEP)
        except zlib.error as error:
            if self._bits == zlib.MAX_WBITS and not self._started:
                # Some servers say deflate and mean it literally: without the zlib header (RFC 9110, 8.4.1.2).
                self._bits, self._started = -zlib.MAX_WBITS, True
                self._stream = zlib.decompressobj(self._bits)
                return self._inflate(data)
            raise CutOffError(
                "The answer's compressed body is damaged. Whether the service acted is unknown."
            ) from error
        self._started = True
        return part

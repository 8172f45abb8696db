"""Reading bodies under a limit: what is read and what is kept is counted, for every coding that is decompressed."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest

from chalicelib.adapters.http_body import ACCEPTED_CODINGS, read_body
from chalicelib.errors import AnswerTooLargeError, CutOffError

LARGE = 50_000_000
LIMIT = 1_000_000
PIECE = 16_384


class Wire:
    """A body in pieces, which counts what was taken of it."""

    def __init__(self, body: bytes, piece: int = PIECE) -> None:
        self.body = body
        self.piece = piece
        self.taken = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.body), self.piece):
            piece = self.body[start : start + self.piece]
            self.taken += len(piece)
            yield piece


def read(wire: Wire, coding: str, limit: int = LIMIT, length: str | None = None) -> tuple[bytes, bool]:
    return asyncio.run(read_body(wire.chunks(), coding, limit, length))


def bomb(coding: str) -> bytes:
    """50 MB of zeros, packed."""
    bits = {"gzip": 31, "x-gzip": 31, "members": 31, "deflate": 15, "raw deflate": -15}[coding]
    if coding == "members":
        return gzip.compress(bytes(100_000), 9) * (LARGE // 100_000)
    packer = zlib.compressobj(9, wbits=bits)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(LARGE // 1_000_000)) + packer.flush()


CODINGS = ["gzip", "x-gzip", "members", "deflate", "raw deflate"]


def said(coding: str) -> str:
    return {"members": "gzip", "raw deflate": "deflate"}.get(coding, coding)


def test_what_is_asked_for_is_what_is_bounded() -> None:
    assert {each.strip() for each in ACCEPTED_CODINGS.split(",")} <= {said(coding) for coding in CODINGS}


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_of_50_mb_stops_at_the_limit(coding: str) -> None:
    packed = bomb(coding)
    assert len(packed) < LARGE / 400
    wire = Wire(packed)
    tracemalloc.start()
    try:
        with pytest.raises(AnswerTooLargeError, match=f"{LIMIT} bytes"):
            read(wire, said(coding))
        kept = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # What becomes 1 MB is a fiftieth of what came; not more than a piece beyond it was taken off the wire.
    assert wire.taken <= len(packed) * LIMIT / LARGE + 2 * PIECE
    assert kept < LIMIT + 500_000


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_read_whole_where_the_limit_allows_it(coding: str) -> None:
    body, is_decompressed = read(Wire(bomb(coding)), said(coding), LARGE)
    assert (len(body), body.count(0), is_decompressed) == (LARGE, LARGE, True)


@pytest.mark.parametrize("coding", ["", "identity", "br", "zstd", "compress"])
def test_what_is_not_decompressed_stops_at_the_limit_too(coding: str) -> None:
    wire = Wire(bytes(LARGE // 10))
    with pytest.raises(AnswerTooLargeError):
        read(wire, coding)
    assert wire.taken <= LIMIT + PIECE
    announced = Wire(b"")
    with pytest.raises(AnswerTooLargeError):
        read(announced, coding, length=str(LIMIT + 1))
    assert announced.taken == 0


@pytest.mark.parametrize(
    "coding",
    [
        "gzip, gzip",
        "gzip,deflate",
        "deflate , gzip",
        "gzip, br",
        "br, gzip",
        "x-gzip,x-gzip",
        "gzip,gzip,gzip",
        "GZIP, Gzip",
    ],
)
def test_a_body_that_is_compressed_twice_is_refused_and_nothing_of_it_is_read(coding: str) -> None:
    wire = Wire(gzip.compress(gzip.compress(b"x")))
    with pytest.raises(CutOffError, match="more than once"):
        read(wire, coding)
    assert wire.taken == 0


@pytest.mark.parametrize("coding", ["gzip, identity", "identity,gzip", " GZip ", "gzip,", ",gzip"])
def test_identity_and_empty_words_are_no_coding(coding: str) -> None:
    assert read(Wire(gzip.compress(b"hello")), coding) == (b"hello", True)


@pytest.mark.parametrize("piece", [1, 2, 3, 17, 8191, 8192, 8193])
def test_where_the_pieces_are_cut_changes_nothing(piece: int) -> None:
    texts = [b"one", b"", b"two" * 9000, b"three"]
    packed = b"".join(map(gzip.compress, texts)) + bytes(5)
    assert read(Wire(packed, piece), "gzip") == (b"".join(texts), True)
    assert read(Wire(gzip.compress(b"x") + b"\x1f", piece), "gzip") == (b"x", True)


def test_members_that_hold_nothing_are_read_in_linear_time_and_count_as_received() -> None:
    wire = Wire(gzip.compress(b"") * 100_000, 65_536)
    with pytest.raises(AnswerTooLargeError):
        read(wire, "gzip")
    assert wire.taken <= LIMIT + 2 * 65_536

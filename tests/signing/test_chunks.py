"""Bodies signed piece by piece, framed as S3 wants them."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256

from chalicelib.signing import sigv4a
from chalicelib.signing.chunks import ChunkSigner, chunked_body, chunked_length, event_date_header
from tests.signing.sigv4_cases import case_named, keys_of, time_of

SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
PIECES = (b"a" * 65536, b"a" * 1024)


def _signer():
    case = case_named("aws-docs/s3-chunked/seed")
    return ChunkSigner(keys_of(case), case["region"], case["service"], time_of(case))


def test_the_documentations_upload_is_framed_with_its_published_signatures_and_length():
    body = b"".join(chunked_body(PIECES, _signer(), SEED))
    published = [
        case_named(f"aws-docs/s3-chunked/{name}")["expected"]["signature"]
        for name in ("chunk1", "chunk2", "chunk3-final")
    ]
    expected = b"".join(
        f"{len(piece):x};chunk-signature={signature}\r\n".encode() + piece + b"\r\n"
        for piece, signature in zip((*PIECES, b""), published, strict=True)
    )
    assert body == expected
    # The Content-Length that the same page prints.
    assert len(body) == chunked_length(map(len, PIECES)) == 66824


def test_the_documentations_trailer_is_signed_after_the_last_chunk():
    seed = case_named("aws-docs/s3-trailer/seed")["expected"]["signature"]
    trailers = [("x-amz-checksum-crc32c", "sOO8/Q==")]
    body = b"".join(chunked_body(PIECES, _signer(), seed, trailers))
    last = case_named("aws-docs/s3-trailer/chunk3-final")["expected"]["signature"]
    # S3 API Reference, "Signature calculations: including trailing headers", its last example.
    assert body.endswith(
        f"0;chunk-signature={last}\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n"
        "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n".encode()
    )
    assert len(body) == chunked_length(map(len, PIECES), trailers)


def test_empty_pieces_do_not_end_a_body_early():
    whole = b"".join(chunked_body([b"abc", b"de"], _signer(), SEED))
    assert b"".join(chunked_body(iter([b"", b"abc", b"", b"de", b""]), _signer(), SEED)) == whole
    assert len(whole) == chunked_length([0, 3, 0, 2])
    assert len(re.findall(rb"chunk-signature=", whole)) == 3
    assert b"".join(chunked_body([], _signer(), SEED)).startswith(b"0;chunk-signature=")


def test_every_chunk_depends_on_all_before_it():
    def signatures(pieces):
        return re.findall(rb"chunk-signature=([0-9a-f]{64})", b"".join(chunked_body(pieces, _signer(), SEED)))

    first, second = signatures([b"a", b"b", b"c"]), signatures([b"a", b"X", b"c"])
    assert [one == other for one, other in zip(first, second, strict=True)] == [True, False, False, False]


@pytest.mark.parametrize("milliseconds", [0, 1, 1500, 1_700_000_000_123])
def test_an_events_date_is_milliseconds_since_1970_in_eight_bytes(milliseconds):
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert event_date_header(at) == b"\x05:date\x08" + milliseconds.to_bytes(8, "big")


def test_chunks_under_sigv4a_verify_and_have_one_length():
    case = case_named("aws-c-auth/v4a-chunked/request")
    keys, public = keys_of(case), sigv4a.private_key(**case["credentials"]).public_key()
    previous, lengths = "30450221", set()
    for piece in (*PIECES, b"b", b"c", b""):
        text = sigv4a.chunk_text(case["timestamp"], "s3", previous, piece)
        signature = sigv4a.sign_text(text, keys)
        public.verify(bytes.fromhex(signature), text.encode(), ECDSA(SHA256()))
        previous = sigv4a.padded(signature)
        assert len(previous) == 144
        # The padding is for the wire alone: the next string to sign has the signature without it.
        assert f"\n{signature}\n" in sigv4a.chunk_text(case["timestamp"], "s3", previous, b"")
        lengths.add(len(signature))
    assert len(lengths) > 1
    text = sigv4a.trailer_text(case["timestamp"], "s3", previous, [("First", " 1st "), ("second", "2nd")])
    assert text.startswith("AWS4-ECDSA-P256-SHA256-TRAILER\n20130524T000000Z\n20130524/s3/aws4_request\n")
    assert sigv4a.sign_text(text, keys) == sigv4a.sign_text(text, keys)

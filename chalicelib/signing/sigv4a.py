"""AWS Signature Version 4a: one signature that counts in several regions (ECDSA on P-256).

The key is derived from the secret without a region, and X-Amz-Region-Set names the regions. `cryptography` is loaded
on the first signature only. Signatures are deterministic (RFC 6979), so that nothing here needs randomness.
"""

from datetime import datetime
from functools import lru_cache, partial
from hashlib import sha256
from hmac import digest
from typing import TYPE_CHECKING, Final

from chalicelib.errors import SigningError
from chalicelib.signing.canonical import EMPTY_HASH, Rules, canonical_headers
from chalicelib.signing.forms import (
    AwsKeys,
    Plain,
    PresignedUrl,
    SignedHeaders,
    Signer,
    signed_headers,
    signed_url,
    timestamp,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

ALGORITHM: Final = "AWS4-ECDSA-P256-SHA256"
# The order of P-256 (FIPS 186-5, SP 800-186 section 3.2.1.3).
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# Chunk signatures are padded to the longest a DER signature can be, so that lengths are known beforehand
# (aws-c-auth, AWS_SIGV4A_SIGNATURE_PADDING_BYTE).
_PADDED = 144
_LAST_COUNTER = 254


def header_signature(
    plain: Plain, rules: Rules, *, keys: AwsKeys, region_set: str, service: str, now: datetime
) -> SignedHeaders:
    """Sign a request in its headers for every region that the set names (`us-east-1,eu-*`, or `*`)."""
    return signed_headers(plain, rules, _signer(keys, region_set, service, now))


def presigned_url(
    plain: Plain, rules: Rules, expires_seconds: int, *, keys: AwsKeys, region_set: str, service: str, now: datetime
) -> PresignedUrl:
    """Sign a request in its URL for every region that the set names."""
    return signed_url(plain, rules, expires_seconds, _signer(keys, region_set, service, now))


def _signer(keys: AwsKeys, region_set: str, service: str, now: datetime) -> Signer:
    stamp = timestamp(now)
    scope = credential_scope(stamp, service)
    return Signer(ALGORITHM, keys, stamp, scope, region_set, partial(sign_text, keys=keys))


def chunk_text(stamp: str, service: str, previous: str, data: bytes) -> str:
    """The string to sign of one aws-chunked chunk."""
    head = f"{ALGORITHM}-PAYLOAD\n{stamp}\n{credential_scope(stamp, service)}"
    return f"{head}\n{previous.rstrip('*')}\n{EMPTY_HASH}\n{sha256(data).hexdigest()}"


def trailer_text(stamp: str, service: str, previous: str, trailers: list[tuple[str, str]]) -> str:
    """The string to sign of the trailing headers after the last chunk."""
    block, _ = canonical_headers(trailers, frozenset())
    head = f"{ALGORITHM}-TRAILER\n{stamp}\n{credential_scope(stamp, service)}"
    return f"{head}\n{previous.rstrip('*')}\n{sha256(block.encode()).hexdigest()}"


def padded(signature: str) -> str:
    """A chunk's signature filled up with `*` to 144 characters, as aws-chunked bodies carry it."""
    return signature.ljust(_PADDED, "*")


def credential_scope(stamp: str, service: str) -> str:
    """When a signature counts: `date/service/aws4_request`; the regions stand in X-Amz-Region-Set."""
    return f"{stamp[:8]}/{service}/aws4_request"


def sign_text(text: str, keys: AwsKeys) -> str:
    """The signature of a string to sign: a DER sequence in hexadecimal, 140 to 144 digits as a rule."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    key = private_key(keys.access_key_id, keys.secret_access_key)
    return key.sign(text.encode(), ECDSA(SHA256(), deterministic_signing=True)).hex()


@lru_cache(maxsize=16)
def private_key(access_key_id: str, secret_access_key: str) -> "EllipticCurvePrivateKey":
    """The signing key of an identity, for every day, region and service."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

    return derive_private_key(private_scalar(access_key_id, secret_access_key), SECP256R1())


def private_scalar(access_key_id: str, secret_access_key: str) -> int:
    """The private number derived from the keys: NIST SP 800-108 in counter mode, until one lies within the order.

    The steps are those of aws-c-auth, `key_derivation.c`.
    """
    start = f"AWS4A{secret_access_key}".encode()
    for counter in range(1, _LAST_COUNTER + 1):
        context = access_key_id.encode() + bytes([counter])
        block = b"\x00\x00\x00\x01" + ALGORITHM.encode() + b"\x00" + context + b"\x00\x00\x01\x00"
        candidate = int.from_bytes(digest(start, block, sha256))
        if candidate <= _ORDER - 2:
            return candidate + 1
    raise SigningError("No SigV4a key can be derived from these keys; make new ones.")

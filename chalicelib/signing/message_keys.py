"""The keys and algorithms of RFC 9421 section 3.3, as far as deliveries use them."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest, new
from typing import TYPE_CHECKING, Final, cast

from chalicelib.errors import CredentialUnfitError
from chalicelib.signing.inbound_keys import keys_for
from chalicelib.signing.inbound_scheme import KeyForm, Way

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

_LEAST_BITS: Final = 2048
_ED25519_BYTES: Final = 32
_P256_BYTES: Final = 32
_SHA512_BYTES: Final = 64
"""Of salt too (RFC 9421 section 3.3.1)."""


def message_keys(options: Mapping[str, str | int], secrets: Sequence[str]) -> "list[bytes | PublicKeyTypes]":
    """The key of each secret; raises CredentialUnfitError where one cannot be a key of this algorithm."""
    algorithm = str(options["algorithm"])
    if algorithm == "hmac-sha256":
        return [*keys_for(Way(key_form=cast("KeyForm", options["secret_encoding"])), secrets)]
    return [_public_key(algorithm, secret) for secret in secrets]


def is_message_signed(algorithm: str, key: "bytes | PublicKeyTypes", base: bytes, signature: bytes) -> bool:
    """Whether a signature is that of the base; `key` is one of `message_keys`."""
    if isinstance(key, bytes):
        return compare_digest(new(key, base, sha256).digest(), signature)
    from cryptography.exceptions import InvalidSignature

    try:
        _verify(algorithm, key, base, signature)
    except InvalidSignature:
        return False
    return True


def _verify(algorithm: str, key: "PublicKeyTypes", base: bytes, signature: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256, SHA512

    match key:
        case Ed25519PublicKey():
            key.verify(signature, base)
        case EllipticCurvePublicKey():
            if len(signature) != 2 * _P256_BYTES:
                raise InvalidSignature
            r, s = (int.from_bytes(part) for part in (signature[:_P256_BYTES], signature[_P256_BYTES:]))
            key.verify(encode_dss_signature(r, s), base, ECDSA(SHA256()))
        case RSAPublicKey() if algorithm == "rsa-pss-sha512":
            key.verify(signature, base, PSS(MGF1(SHA512()), _SHA512_BYTES), SHA512())
        case RSAPublicKey():
            key.verify(signature, base, PKCS1v15(), SHA256())
        case _:
            raise InvalidSignature


def _public_key(algorithm: str, secret: str) -> "PublicKeyTypes":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

    if "PRIVATE KEY" in secret:
        raise CredentialUnfitError("The credential holds the sender's private key; give the public one instead.")
    try:
        if "-----BEGIN" in secret:
            key = load_pem_public_key(secret.encode())
        else:
            raw = b64decode(secret, validate=True)
            is_short = len(raw) == _ED25519_BYTES and algorithm == "ed25519"
            key = Ed25519PublicKey.from_public_bytes(raw) if is_short else load_der_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        raise CredentialUnfitError("The credential's secret is no public key: PEM, or base64 of its DER.") from None
    if not _is_for(algorithm, key):
        raise CredentialUnfitError(f"The credential's key is not one for {algorithm}.")
    return key


def _is_for(algorithm: str, key: "PublicKeyTypes") -> bool:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    match algorithm:
        case "ed25519":
            return isinstance(key, Ed25519PublicKey)
        case "ecdsa-p256-sha256":
            return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
        case _:
            return isinstance(key, RSAPublicKey) and key.key_size >= _LEAST_BITS

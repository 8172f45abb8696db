"""Secrets into keys, and signatures compared: the only place where a delivery's proof meets a secret."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest, new
from typing import Final

from chalicelib.errors import CredentialUnfitError
from chalicelib.signing.inbound_scheme import KeyForm, Way

_HASHES: Final = {"hmac-sha1": "sha1", "hmac-sha256": "sha256", "hmac-sha384": "sha384", "hmac-sha512": "sha512"}
_ED25519_KEY, _ED25519_SIGNATURE = 32, 64


def secrets_of(fields: Mapping[str, object], name: str) -> list[str]:
    """The credential's secret and, while it is being rotated, those under `previous` (a list of texts, or one).

    Raises CredentialUnfitError if there is none, or one is empty: an empty key would let everybody sign.
    """
    found = [fields.get(name)]
    previous = fields.get("previous")
    if isinstance(previous, (list, tuple)):
        found.extend(previous)  # pyright: ignore[reportUnknownArgumentType] - checked one by one below
    elif previous is not None:
        found.append(previous)
    texts = [text for text in found if isinstance(text, str) and text]
    if len(texts) < len(found):
        raise CredentialUnfitError(
            f"The credential needs the field {name}, a text that is not empty; `previous` is a list of such texts."
        )
    return texts


def keys_for(way: Way, secrets: Iterable[str]) -> list[bytes]:
    """The keys that these secrets are for one way; a secret that belongs to another way is passed over."""
    return [key for secret in secrets if (key := _key(way.key_form, secret)) is not None]


def _key(form: KeyForm, secret: str) -> bytes | None:
    match form:
        case "text":
            return secret.encode("utf-8", "surrogatepass")
        case "hex":
            return _decoded(bytes.fromhex, secret, "hexadecimal")
        case "base64":
            return _decoded(_base64, secret, "base64")
        case "whpk":
            return _decoded(_base64, secret[5:], "whpk_ and base64") if secret.startswith("whpk_") else None
        case "whsec":
            if secret.startswith("whsk_"):
                raise CredentialUnfitError("The credential holds the sender's private key (whsk_); give whpk_ instead.")
            if secret.startswith("whpk_"):
                return None
            return _decoded(_base64, secret.removeprefix("whsec_"), "whsec_ and base64")


def _base64(text: str) -> bytes:
    return b64decode(text.encode("ascii"), validate=True)


def _decoded(decode: Callable[[str], bytes], text: str, what: str) -> bytes:
    try:
        key = decode(text)
    except ValueError:
        key = b""
    if not key:
        raise CredentialUnfitError(f"The credential's secret does not read as {what}; copy it again from the sender.")
    return key


def is_signed(way: Way, key: bytes, content: bytes, texts: Iterable[bytes]) -> bool:
    """Whether one of these signatures, as sent, is that of the content; compared as text, in constant time.

    Text, because hexadecimal and base64 can write the same bytes in several ways, and only one of them was sent.
    """
    match way.algorithm:
        case "ed25519":
            return sum(_is_ed25519(way, key, content, text) for text in texts) > 0
        case "ecdsa-p256-sha256":
            return sum(_is_ecdsa(way, key, content, text) for text in texts) > 0
        case "sha256":
            expected = _written(way, sha256(content).digest())
        case "hmac-sha1" | "hmac-sha256" | "hmac-sha384" | "hmac-sha512":
            # Not `hmac.digest`: it lets go of the interpreter for two microseconds, and may wait a thousand to be back.
            expected = _written(way, new(key, content, _HASHES[way.algorithm]).digest())
    return is_shown((expected,), texts)


def is_shown(expected: Iterable[bytes], shown: Iterable[bytes]) -> bool:
    """Whether any expected text is among those shown; every pair is compared, so that the time says nothing."""
    shown = tuple(shown)
    return sum(compare_digest(text, other) for text in expected for other in shown) > 0


def _written(way: Way, raw: bytes) -> bytes:
    return binascii.hexlify(raw) if way.encoding == "hex" else b64encode(raw)


def _read(way: Way, text: bytes) -> bytes | None:
    try:
        raw = binascii.unhexlify(text) if way.encoding == "hex" else b64decode(text, validate=True)
    except ValueError:
        return None
    return raw if _written(way, raw) == text else None


def _is_ed25519(way: Way, key: bytes, content: bytes, text: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(key) != _ED25519_KEY:
        raise CredentialUnfitError("The credential's secret is not an Ed25519 public key: that has 32 bytes.")
    signature = _read(way, text)
    if signature is None or len(signature) != _ED25519_SIGNATURE:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _is_ecdsa(way: Way, key: bytes, content: bytes, text: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        public = load_der_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        public = None
    if not isinstance(public, EllipticCurvePublicKey) or not isinstance(public.curve, SECP256R1):
        raise CredentialUnfitError("The credential's secret is not a P-256 public key; copy it again from the sender.")
    signature = _read(way, text)
    if signature is None:
        return False
    try:
        public.verify(signature, content, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True

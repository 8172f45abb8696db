"""Sealed values: AES-256-GCM under a data key of their own, bound to their place, committed to that key.

AES-GCM alone does not say which key a text was made with: one text can be made that opens under two (Dodis, Grubbs,
Ristenpart, Woodage, "Fast Message Franking", CRYPTO 2018). So the data key is never the encryption key. Two values are
derived from it, with HMAC-SHA-256 as the pseudo-random function: the encryption key, and a commitment that is stored
and compared before anything is decrypted. This is the transform UtC of Bellare and Hoang ("Efficient Schemes for
Committing Authenticated Encryption", EUROCRYPT 2022, section 5); a second key for the same commitment would be a
collision of SHA-256. Both values cover the context, and the commitment the nonce, so that all are committed to.

A sealed value is a JSON object: `v`, the form (1); `wrapped`, the data key under a master key (`key` names it);
`nonce`, `commitment` and `ciphertext`. Bytes are Base64, in its one canonical spelling.
"""

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from chalicelib.flow.values import Json
from chalicelib.vault.errors import SealBrokenError
from chalicelib.vault.keys import Wrapped

FORM: Final = 1
DATA_KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
"""96 bits, for which GCM is made (NIST SP 800-38D, section 8.2)."""
LONGEST_PLAIN: Final = 64_000
"""Bytes of a credential's fields as JSON: in Base64, and a former version beside them, a document still holds them."""
_PARTS: Final = {"v", "wrapped", "nonce", "commitment", "ciphertext"}
_LONGEST_PART: Final = 200_000


@dataclass(frozen=True, slots=True)
class Context:
    """The place a sealed value belongs to, and opens at."""

    tenant: str
    name: str
    version: int

    def to_mapping(self) -> dict[str, str]:
        """As a key service takes it (and AWS records it in its log: nothing here is secret)."""
        return {"tenant": self.tenant, "credential": self.name, "version": str(self.version)}

    def to_bytes(self) -> bytes:
        """One encoding per context, and no two contexts with the same one: a JSON array in ASCII."""
        return json.dumps(["penstock credential", FORM, self.tenant, self.name, self.version]).encode("ascii")


def seal(
    fields: Mapping[str, str], context: Context, *, data_key: bytes, nonce: bytes, wrapped: Wrapped
) -> dict[str, Json]:
    """The fields as a sealed value.

    Args:
        fields: what is secret, and what belongs to it.
        context: where it will lie.
        data_key: 32 random bytes, used for nothing else.
        nonce: 12 random bytes.
        wrapped: the data key, as a key service wrapped it with `context.to_mapping()`.
    """
    if len(data_key) != DATA_KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("A data key has 32 bytes and a nonce 12.")
    key, commitment = _derived(data_key, nonce, context)
    plain = json.dumps(dict(fields), separators=(",", ":")).encode("ascii")
    return {
        "v": FORM,
        "wrapped": _wrapped_to_json(wrapped),
        "nonce": _text(nonce),
        "commitment": _text(commitment),
        "ciphertext": _text(encrypt(key, nonce, plain, context.to_bytes())),
    }


def open_sealed(sealed: Json, context: Context, data_key: bytes) -> dict[str, str]:
    """The fields; raises SealBrokenError unless every bit is as it was sealed, and for this very place."""
    parts = _parts(sealed)
    nonce, ciphertext = _bytes(parts, "nonce"), _bytes(parts, "ciphertext")
    if len(data_key) != DATA_KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise SealBrokenError
    key, commitment = _derived(data_key, nonce, context)
    if not hmac.compare_digest(commitment, _bytes(parts, "commitment")):
        raise SealBrokenError
    return _fields(decrypt(key, nonce, ciphertext, context.to_bytes()))


def wrapped_of(sealed: Json) -> Wrapped:
    """The data key's wrapping; raises SealBrokenError where this is no sealed value."""
    wrapped = _parts(sealed)["wrapped"]
    if not isinstance(wrapped, dict) or wrapped.keys() != {"key", "blob"} or not isinstance(wrapped["key"], str):
        raise SealBrokenError
    return Wrapped(wrapped["key"], _bytes(wrapped, "blob"))


def with_wrapped(sealed: Json, wrapped: Wrapped) -> dict[str, Json]:
    """The same sealed value, its data key under another master key."""
    return {**_parts(sealed), "wrapped": _wrapped_to_json(wrapped)}


def encrypt(key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
    """AES-256-GCM: the text and its tag of 128 bits; `bound` is authenticated beside it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # imported late: most deliveries open nothing

    return AESGCM(key).encrypt(nonce, plain, bound)


def decrypt(key: bytes, nonce: bytes, ciphertext: bytes, bound: bytes) -> bytes:
    """What was encrypted so; raises SealBrokenError where anything differs."""
    from cryptography.exceptions import InvalidTag  # imported late, as above
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(nonce, ciphertext, bound)
    except InvalidTag:
        raise SealBrokenError from None


def _fields(plain: bytes) -> dict[str, str]:
    """What was sealed; whoever sealed anything else with our keys was not us."""
    try:
        fields: Json = json.loads(plain)
    except (ValueError, RecursionError):
        raise SealBrokenError from None
    if not isinstance(fields, dict) or not all(isinstance(each, str) for each in fields.values()):
        raise SealBrokenError
    return cast("dict[str, str]", fields)


def _derived(data_key: bytes, nonce: bytes, context: Context) -> tuple[bytes, bytes]:
    """The encryption key, and the commitment to the data key, the nonce and the context."""
    place = context.to_bytes()
    key = hmac.digest(data_key, b"penstock vault 1: encrypt\n" + place, "sha256")
    commitment = hmac.digest(data_key, b"penstock vault 1: commit\n" + nonce + place, "sha256")
    return key, commitment


def _parts(sealed: Json) -> dict[str, Json]:
    if not isinstance(sealed, dict) or sealed.keys() != _PARTS or sealed["v"] != FORM or sealed["v"] is True:
        raise SealBrokenError
    return sealed


def _wrapped_to_json(wrapped: Wrapped) -> dict[str, Json]:
    return {"key": wrapped.key, "blob": _text(wrapped.blob)}


def _text(content: bytes) -> str:
    return b64encode(content).decode("ascii")


def _bytes(parts: Mapping[str, Json], name: str) -> bytes:
    """The bytes of a part, of which each text of Base64 stands for others: no two texts for the same ones."""
    text = parts[name]
    if not isinstance(text, str) or len(text) > _LONGEST_PART:
        raise SealBrokenError
    try:
        content = b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise SealBrokenError from None
    if _text(content) != text:
        raise SealBrokenError
    return content

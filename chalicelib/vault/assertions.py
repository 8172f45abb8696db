"""Signed assertions: a JSON Web Token that stands for a client or an account (RFC 7523, section 3; RFC 7515, RS256)."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

from chalicelib.errors import CredentialUnfitError

LASTS_SECONDS: Final = 300
"""An assertion is used at once; Google takes none that lasts longer than an hour."""
_FEWEST_BITS: Final = 2048


class _Signer(NamedTuple):
    issuer: str
    subject: str
    key_id: str
    private_key: str


def assertion_of(fields: Mapping[str, str], *, audience: str, now: datetime, jti: str) -> str:
    """The assertion for this audience; raises CredentialUnfitError where the key cannot be read, never showing it.

    A Google key file names a token address of its own, which counts for nothing here: a file from a stranger sends
    nothing anywhere.
    """
    signer = _google(fields) if "key" in fields else _general(fields)
    issued = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": signer.issuer,
        "aud": audience,
        "iat": issued,
        "exp": issued + LASTS_SECONDS,
        "jti": jti,
    }
    if signer.subject:
        claims["sub"] = signer.subject
    if fields.get("scope"):
        claims["scope"] = fields["scope"]
    header = {"alg": "RS256", "typ": "JWT", **({"kid": signer.key_id} if signer.key_id else {})}
    signed = f"{_part(header)}.{_part(claims)}"
    return f"{signed}.{_base64url(_signature(signer.private_key, signed.encode('ascii')))}"


def _general(fields: Mapping[str, str]) -> _Signer:
    issuer = fields["issuer"]
    return _Signer(issuer, fields.get("subject") or issuer, fields.get("key_id", ""), fields["private_key"])


def _google(fields: Mapping[str, str]) -> _Signer:
    try:
        read: Any = json.loads(fields["key"])
    except (ValueError, RecursionError):
        raise CredentialUnfitError("The field key is not JSON. Give the key file as Google made it.") from None
    file = cast("dict[str, Any]", read) if isinstance(read, dict) else {}
    email, key, key_id = (file.get(name) for name in ("client_email", "private_key", "private_key_id"))
    if file.get("type") != "service_account" or not isinstance(email, str) or not isinstance(key, str):
        raise CredentialUnfitError(
            "The field key is no key file of a service account: it needs `type`, `client_email` and `private_key`."
        )
    return _Signer(email, fields.get("subject", ""), key_id if isinstance(key_id, str) else "", key)


def _signature(pem: str, signed: bytes) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm  # imported late: few credentials sign
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        # Copied through a shell or an environment, its line breaks often come as two characters.
        key = load_pem_private_key(pem.replace("\\n", "\n").encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CredentialUnfitError("The private key cannot be read. Give it as PEM, without a passphrase.") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _FEWEST_BITS:
        raise CredentialUnfitError("The private key is no RSA key of at least 2,048 bits, as RS256 wants (RFC 7518).")
    return key.sign(signed, PKCS1v15(), SHA256())


def _part(value: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")

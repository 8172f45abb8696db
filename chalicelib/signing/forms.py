"""What a signature covers, in its two forms: a request's headers, or a URL that carries the signature itself.

Both algorithms (SigV4, SigV4a) sign these; they differ in the scope, in the region set and in the last step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from chalicelib.errors import SigningError
from chalicelib.signing.canonical import (
    EMPTY_HASH,
    UNSIGNED_PAYLOAD,
    PayloadHash,
    Rules,
    canonical_headers,
    canonical_query,
    canonical_request,
    checked_headers,
    encoded_once,
    payload_hash_of,
    read_address,
    text_hash,
)

# A presigned URL lives at most seven days (AWS General Reference, "Query string authentication").
LONGEST_SECONDS: Final = 604_800
_HASH_LENGTH = 64


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """An AWS identity; the secret and the token are never printed."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse keys that cannot sign: empty ones, and an id that would break out of its header."""
        if not (self.access_key_id.isascii() and self.access_key_id.isidentifier() and self.secret_access_key):
            raise SigningError("The AWS keys are incomplete: access_key_id (letters and digits) and secret_access_key.")


@dataclass(frozen=True, slots=True)
class Plain:
    """A request before it is signed; the URL is sent byte for byte as it is here.

    Attributes:
        method: the HTTP method.
        url: absolute, http or https.
        headers: the caller's, in order, repeats allowed; none that the signer sets itself.
        body: the bytes, or their SHA-256 in hexadecimal, or a marker; None leaves it to the rules (presigned URLs).
    """

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | PayloadHash | None = field(default=None, repr=False)


class SignedHeaders(NamedTuple):
    """The headers to send, complete, and the texts they come from (to compare with what AWS says it expected)."""

    canonical_request: str
    string_to_sign: str
    signature: str
    headers: list[tuple[str, str]]

    def __repr__(self) -> str:
        """Without the texts: a session token stands in them."""
        return f"SignedHeaders(signature={self.signature})"


class PresignedUrl(NamedTuple):
    """The URL to hand out, and the texts it comes from."""

    canonical_request: str
    string_to_sign: str
    signature: str
    url: str

    def __repr__(self) -> str:
        """Without the texts: whoever holds the URL may use it."""
        return f"PresignedUrl(signature={self.signature})"


class Signer(NamedTuple):
    """One identity, time and algorithm: what the two algorithms differ in.

    Attributes:
        algorithm: as it is written in the Authorization header.
        keys: whose request it is.
        stamp: the time as `timestamp` writes it.
        scope: where and when the signature counts.
        region_set: the regions it counts in, where the scope names none; else empty.
        sign: the signature of a string to sign, in hexadecimal.
    """

    algorithm: str
    keys: AwsKeys
    stamp: str
    scope: str
    region_set: str
    sign: Callable[[str], str]

    @property
    def credential(self) -> str:
        """Who signs, and for what."""
        return f"{self.keys.access_key_id}/{self.scope}"

    def string_to_sign(self, canonical: str) -> str:
        """The string to sign of a canonical request (AWS General Reference, "Create a string to sign")."""
        return f"{self.algorithm}\n{self.stamp}\n{self.scope}\n{text_hash(canonical)}"


def signed_headers(plain: Plain, rules: Rules, signer: Signer) -> SignedHeaders:
    """Sign a request in its headers, keeping the texts on the way."""
    canonical, names, send = header_form(plain, signer.stamp, signer.keys.session_token, signer.region_set, rules)
    string = signer.string_to_sign(canonical)
    signature = signer.sign(string)
    claim = f"{signer.algorithm} Credential={signer.credential}, SignedHeaders={names}, Signature={signature}"
    send.append(("Authorization", claim))
    return SignedHeaders(canonical, string, signature, send)


def signed_url(plain: Plain, rules: Rules, expires_seconds: int, signer: Signer) -> PresignedUrl:
    """Sign a request in its URL, keeping the texts on the way."""
    claims = QueryClaims(
        signer.algorithm,
        signer.credential,
        signer.stamp,
        expires_seconds,
        signer.keys.session_token,
        signer.region_set,
    )
    canonical, url = query_form(plain, claims, rules)
    string = signer.string_to_sign(canonical)
    signature = signer.sign(string)
    return PresignedUrl(canonical, string, signature, f"{url}&X-Amz-Signature={signature}")


def header_form(
    plain: Plain, stamp: str, token: str | None, region_set: str, rules: Rules
) -> tuple[str, str, list[tuple[str, str]]]:
    """The canonical request, the names signed, and the headers to send but for Authorization."""
    address = read_address(plain.url, rules.normalize_path, rules.double_encode_path)
    payload_hash = payload_hash_of(plain.body or b"")
    send = checked_headers(plain.headers, address.host)
    if token is not None:
        send.append(("X-Amz-Security-Token", token))
    if rules.add_date_header:
        send.append(("X-Amz-Date", stamp))
    if region_set:
        send.append(("X-Amz-Region-Set", region_set))
    if rules.content_sha256_header or len(payload_hash) != _HASH_LENGTH:
        send.append(("x-amz-content-sha256", payload_hash))
    signed = send
    if token is not None and not rules.sign_session_token:
        signed = [header for header in send if header[0] != "X-Amz-Security-Token"]
    block, names = canonical_headers(signed, rules.unsigned_headers)
    canonical = canonical_request(plain.method, address.path, address.query, block, names, payload_hash)
    return canonical, names, send


class QueryClaims(NamedTuple):
    """What a presigned URL says of its own signature."""

    algorithm: str
    credential: str
    stamp: str
    expires_seconds: int
    token: str | None
    region_set: str = ""


def query_form(plain: Plain, claims: QueryClaims, rules: Rules) -> tuple[str, str]:
    """The canonical request of a presigned URL, and the URL but for its signature.

    Without a body S3 signs "any payload", and every other service the empty one.
    """
    if not 1 <= claims.expires_seconds <= LONGEST_SECONDS:
        raise SigningError(f"A presigned URL lives 1 to {LONGEST_SECONDS} seconds, not {claims.expires_seconds}.")
    default = UNSIGNED_PAYLOAD if rules.content_sha256_header else EMPTY_HASH
    payload_hash = payload_hash_of(default if plain.body is None else plain.body)
    address = read_address(plain.url, rules.normalize_path, rules.double_encode_path)
    block, names = canonical_headers(checked_headers(plain.headers, address.host), rules.unsigned_headers)
    parameters = [
        ("X-Amz-Algorithm", claims.algorithm),
        ("X-Amz-Credential", claims.credential),
        ("X-Amz-Date", claims.stamp),
        ("X-Amz-SignedHeaders", names),
        ("X-Amz-Expires", str(claims.expires_seconds)),
    ]
    if claims.token is not None:
        parameters.append(("X-Amz-Security-Token", claims.token))
    if claims.region_set:
        parameters.append(("X-Amz-Region-Set", claims.region_set))
    written = [f"{name}={_escaped(value)}" for name, value in parameters]
    signed = [pair for pair in written if rules.sign_session_token or not pair.startswith("X-Amz-Security-Token=")]
    query = canonical_query("&".join([address.raw_query, *signed]))
    canonical = canonical_request(plain.method, address.path, query, block, names, payload_hash)
    return canonical, _with_query(plain.url, "&".join(written))


def _escaped(value: str) -> str:
    # A `%` in a token is itself, not the start of an escape.
    return encoded_once(value.replace("%", "%25"))


def _with_query(url: str, query: str) -> str:
    # A fragment is never sent, so it is not handed out either.
    address = url.partition("#")[0]
    joint = "?" if "?" not in address else "" if address.endswith(("?", "&")) else "&"
    return f"{address}{joint}{query}"


def timestamp(now: datetime) -> str:
    """A time as SigV4 writes it, `20150830T123600Z`; raise SigningError if it has no time zone."""
    if now.tzinfo is not UTC:
        if now.tzinfo is None:
            raise SigningError("The time to sign at has no time zone; pass an aware datetime.")
        now = now.astimezone(UTC)
    return f"{now.year:04}{now.month:02}{now.day:02}T{now.hour:02}{now.minute:02}{now.second:02}Z"

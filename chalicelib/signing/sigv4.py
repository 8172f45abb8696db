"""AWS Signature Version 4 by hand: headers, presigned URLs, browser upload policies.

Pure: the time is an argument. Signing a small request costs about ten microseconds; the derived key and the parsed
URL are remembered. The URL is never changed: send it byte for byte as it was given.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache, partial
from hashlib import sha256
from hmac import digest
from typing import Final

from chalicelib.signing.canonical import PayloadHash, Rules, rules_for
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

ALGORITHM: Final = "AWS4-HMAC-SHA256"


def sign_headers(
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]],
    body: bytes | PayloadHash,
    *,
    keys: AwsKeys,
    region: str,
    service: str,
    now: datetime,
) -> list[tuple[str, str]]:
    """Sign a request in its headers; return all headers to send, Host and Authorization among them.

    Args:
        method: the HTTP method.
        url: absolute; sent byte for byte as it is here.
        headers: the caller's, in order, repeats allowed; none that the signer sets itself.
        body: the bytes, or their SHA-256 in hexadecimal, or a marker such as `UNSIGNED_PAYLOAD`.
        keys: whose request it is.
        region: such as `eu-central-1`.
        service: the signing name, such as `dynamodb`; it also chooses the rules for paths.
        now: an aware time; services accept a signature for five (S3: fifteen) minutes.

    Raises:
        SigningError: the request must not be signed as it is; the message says why.
    """
    plain = Plain(method, url, headers, body)
    return header_signature(plain, rules_for(service), keys=keys, region=region, service=service, now=now).headers


def header_signature(
    plain: Plain, rules: Rules, *, keys: AwsKeys, region: str, service: str, now: datetime
) -> SignedHeaders:
    """Sign a request in its headers under explicit rules, keeping the texts on the way; see `sign_headers`."""
    return signed_headers(plain, rules, _signer(keys, region, service, now))


def presign(  # noqa: PLR0913 - the parts of a request and of a signature, each once
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes | PayloadHash | None = None,
    *,
    keys: AwsKeys,
    region: str,
    service: str,
    now: datetime,
    expires_seconds: int = 3600,
) -> str:
    """Sign a request in its URL; whoever holds the URL may send it until it expires.

    The headers given (and Host) are signed and must be sent with it. Without a body S3 signs "any payload" and every
    other service the empty one.

    Raises:
        SigningError: the request must not be signed as it is, or the time is not between 1 second and 7 days.
    """
    plain = Plain(method, url, headers, body)
    return presigned_url(
        plain, rules_for(service), expires_seconds, keys=keys, region=region, service=service, now=now
    ).url


def presigned_url(
    plain: Plain, rules: Rules, expires_seconds: int, *, keys: AwsKeys, region: str, service: str, now: datetime
) -> PresignedUrl:
    """Sign a request in its URL under explicit rules, keeping the texts on the way; see `presign`."""
    return signed_url(plain, rules, expires_seconds, _signer(keys, region, service, now))


def _signer(keys: AwsKeys, region: str, service: str, now: datetime) -> Signer:
    stamp = timestamp(now)
    scope = credential_scope(stamp, region, service)
    return Signer(
        ALGORITHM, keys, stamp, scope, "", partial(sign_text, keys=keys, stamp=stamp, region=region, service=service)
    )


def sign_policy(policy: str, *, keys: AwsKeys, region: str, now: datetime, service: str = "s3") -> str:
    """Sign a browser upload's policy, given in base64 as the form sends it; the result is its `x-amz-signature`."""
    return sign_text(policy, keys, timestamp(now), region, service)


def credential_scope(stamp: str, region: str, service: str) -> str:
    """Where and when a signature counts: `date/region/service/aws4_request`."""
    return f"{stamp[:8]}/{region}/{service}/aws4_request"


def sign_text(text: str, keys: AwsKeys, stamp: str, region: str, service: str) -> str:
    """The signature of a string to sign, as 64 hexadecimal digits."""
    key = signing_key(keys.secret_access_key, stamp[:8], region, service)
    return digest(key, text.encode(), sha256).hex()


@lru_cache(maxsize=64)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, region and service; remembered, since a worker signs thousands of requests with one."""
    return key_ladder(secret, date, region, service)[-1]


def key_ladder(secret: str, date: str, region: str, service: str) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """The five keys from the secret to the signing key (AWS General Reference, "Calculate the signature")."""
    start = f"AWS4{secret}".encode()
    of_date = digest(start, date.encode(), sha256)
    of_region = digest(of_date, region.encode(), sha256)
    of_service = digest(of_region, service.encode(), sha256)
    return start, of_date, of_region, of_service, digest(of_service, b"aws4_request", sha256)

"""AWS Signature Version 4 by hand: headers, presigned URLs, browser upload policies.

Pure: the time is an argument. Signing a small request costs about ten microseconds; the derived key and the parsed
URL are remembered. The URL is never changed: send it byte for byte as it was given.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from hmac import digest
from typing import Final

from chalicelib.signing.canonical import PayloadHash, Rules, rules_for, text_hash
from chalicelib.signing.forms import (
    AwsKeys,
    Plain,
    PresignedUrl,
    QueryClaims,
    SignedHeaders,
    header_form,
    query_form,
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
    stamp = timestamp(now)
    canonical, names, send = header_form(plain, stamp, keys.session_token, "", rules)
    scope = credential_scope(stamp, region, service)
    string = f"{ALGORITHM}\n{stamp}\n{scope}\n{text_hash(canonical)}"
    signature = sign_text(string, keys, stamp, region, service)
    credential = f"{keys.access_key_id}/{scope}"
    send.append(("Authorization", f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"))
    return SignedHeaders(canonical, string, signature, send)


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
    stamp = timestamp(now)
    scope = credential_scope(stamp, region, service)
    credential = f"{keys.access_key_id}/{scope}"
    claims = QueryClaims(ALGORITHM, credential, stamp, expires_seconds, keys.session_token)
    canonical, url = query_form(plain, claims, rules)
    string = f"{ALGORITHM}\n{stamp}\n{scope}\n{text_hash(canonical)}"
    signature = sign_text(string, keys, stamp, region, service)
    return PresignedUrl(canonical, string, signature, f"{url}&X-Amz-Signature={signature}")


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

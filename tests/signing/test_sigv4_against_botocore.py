"""The same random requests, signed by us and by botocore; whatever differs has a name and is counted."""

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from chalicelib.signing.forms import AwsKeys
from chalicelib.signing.sigv4 import presign, sign_headers
from tests.signing.random_requests import Drawn, causes, draw, mended

REQUESTS = 12_000
ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def _prepared(drawn: Drawn, at: datetime, *, body: bytes) -> AWSRequest:
    request = AWSRequest(method=drawn.method, url=drawn.url, data=body)
    for name, value in drawn.headers:
        request.headers.add_header(name, value)
    request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    return request


def _botocore_headers(drawn: Drawn, at: datetime) -> str:
    """Botocore's add_auth step by step, but for its clock."""
    kind = botocore.auth.S3SigV4Auth if drawn.service.startswith("s3") else botocore.auth.SigV4Auth
    signer = kind(Credentials(ACCESS, SECRET, drawn.token), drawn.service, drawn.region)
    request = _prepared(drawn, at, body=drawn.body)
    signer._modify_request_before_signing(request)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    return request.headers["Authorization"]


def _botocore_url(drawn: Drawn, at: datetime) -> str:
    kind = botocore.auth.S3SigV4QueryAuth if drawn.service.startswith("s3") else botocore.auth.SigV4QueryAuth
    signer = kind(Credentials(ACCESS, SECRET, drawn.token), drawn.service, drawn.region, drawn.expires_seconds)
    request = _prepared(drawn, at, body=b"")
    signer._modify_request_before_signing(request)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    return request.url


def _read(url: str) -> tuple[str, str, list[tuple[str, str]]]:
    parts = urlsplit(url)
    return parts.netloc, parts.path, sorted(parse_qsl(parts.query, keep_blank_values=True))


def _agree(drawn: Drawn, at: datetime, *, presigned: bool) -> bool:
    scope = {"keys": AwsKeys(ACCESS, SECRET, drawn.token), "region": drawn.region, "service": drawn.service, "now": at}
    if presigned:
        ours = presign(drawn.method, drawn.url, drawn.headers, **scope, expires_seconds=drawn.expires_seconds)
        return _read(ours) == _read(_botocore_url(drawn, at))
    signed = sign_headers(drawn.method, drawn.url, drawn.headers, drawn.body, **scope)
    return dict(signed)["Authorization"] == _botocore_headers(drawn, at)


def test_random_requests_are_signed_as_botocore_signs_them(record_property):
    dice = random.Random(20150830)
    start = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    named: Counter[str] = Counter()
    shapes: Counter[str] = Counter()
    different, unexplained = 0, []
    for number in range(REQUESTS):
        drawn = draw(dice)
        at = start + timedelta(seconds=number * 977)
        presigned = number % 3 == 0
        shapes["presigned" if presigned else "in headers"] += 1
        shapes["S3" if drawn.service.startswith("s3") else "other services"] += 1
        if _agree(drawn, at, presigned=presigned):
            continue
        different += 1
        why = causes(drawn, presigned=presigned)
        named.update(why)
        if not why or not _agree(mended(drawn), at, presigned=presigned):
            unexplained.append((drawn, presigned, why))
    assert unexplained == []
    assert min(shapes.values()) > 3000
    # The odd ones are drawn on purpose, so a comparison that sees none of them is broken.
    assert 0 < different < REQUESTS * 0.01
    counted = "; ".join(f"{count} {cause}" for cause, count in named.most_common())
    spread = ", ".join(f"{count} {shape}" for shape, count in shapes.most_common())
    record_property(
        "covered",
        f"sigv4: {REQUESTS} random requests against botocore {botocore.__version__} ({spread}):"
        f" {different} differ ({different / REQUESTS:.2%}; a request may have several causes): {counted}",
    )


def test_each_cause_named_is_a_difference_in_itself():
    at = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    usual = Drawn("GET", "https://s3.amazonaws.com/a?b=c", (), b"", "s3", "us-east-1", None, 60)
    assert _agree(usual, at, presigned=False)
    assert _agree(usual, at, presigned=True)
    odd = (
        (replace(usual, url="https://s3.amazonaws.com/a$b"), False),
        (replace(usual, url="https://s3.amazonaws.com/a?b=(c)"), False),
        (replace(usual, url="https://s3.amazonaws.com/a?b=c&&d=e"), False),
        (replace(usual, url="https://s3.amazonaws.com/a?b=c&b=d"), True),
        (replace(usual, url="https://s3.amazonaws.com/a?b=c+d"), True),
        (replace(usual, headers=(("x-odd", "no\u00a0break"),)), False),
    )
    found = [(causes(drawn, presigned=presigned), _agree(drawn, at, presigned=presigned)) for drawn, presigned in odd]
    assert [len(why) for why, _ in found] == [1] * len(odd)
    assert len({why[0] for why, _ in found}) == len(odd)
    assert not any(agree for _, agree in found)

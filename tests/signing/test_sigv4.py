"""What must not be signed, and what a signature promises beyond the published cases."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from chalicelib.errors import SigningError
from chalicelib.signing import sigv4a
from chalicelib.signing.canonical import UNSIGNED_PAYLOAD, Rules, canonical_path, canonical_query, rules_for
from chalicelib.signing.forms import AwsKeys, Plain
from chalicelib.signing.sigv4 import header_signature, presign, presigned_url, sign_headers, signing_key

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SCOPE = {"keys": KEYS, "region": "eu-central-1", "service": "dynamodb"}


def _sign(url="https://dynamodb.eu-central-1.amazonaws.com/", headers=(), body=b"", *, method="POST", now=NOW, **scope):
    return dict(sign_headers(method, url, headers, body, **{**SCOPE, **scope}, now=now))


@pytest.mark.parametrize(
    "headers",
    [
        [("x-a", "1\r\nx-b: 2")], [("x-a", "1\nx-b: 2")], [("x-a", "1\rx")], [("x-a", "\x00")], [("x a", "1")], [("", "1")],
        [("x:a", "1")], [("x-ä", "1")], [("x-a\n", "1")], [("Host", "a"), ("host", "b")], [("x-a", "\ud800")],
        [("X-AMZ-DATE", "20260301T120000Z")], [("X-Amz-Security-Token", "x")], [("x-amz-region-set", "*")],
    ],
)  # fmt: skip
def test_headers_that_cannot_be_sent_or_are_the_signers_own_are_refused(headers):
    with pytest.raises(SigningError):
        _sign(headers=headers)
    with pytest.raises(SigningError):
        presign("GET", "https://a.example/", headers, **SCOPE, now=NOW)


@pytest.mark.parametrize(
    "url",
    [
        "", "a.example/", "ftp://a.example/", "https://", "https://u:p@a.example/", "https://a.example/\n", "https://ä.example/",
        "https://a.example/?x=\ud800", "https://a.example/?x-amz-signature=1", "https://a.example/?X%2DAmz-Date=1",
        "https://a.example/?a=b&X-Amz-Security-Token", "https://a.example:x/", "https://[::1/", "https://a.example\\/",
    ],
)  # fmt: skip
def test_urls_that_cannot_be_sent_or_are_signed_already_are_refused(url):
    with pytest.raises(SigningError):
        _sign(url)


def test_other_things_that_must_not_be_signed():
    for attempt in (
        lambda: _sign(now=NOW.replace(tzinfo=None)),
        lambda: _sign(body="UNSIGNED"),
        lambda: _sign(body="A" * 64),
        lambda: _sign(method="GET /"),
        lambda: AwsKeys("", "x"),
        lambda: AwsKeys("AKID", ""),
        lambda: AwsKeys("AKID/x, SignedHeaders=", "x"),
        lambda: presign("GET", "https://a.example/", **SCOPE, now=NOW, expires_seconds=0),
        lambda: presign("GET", "https://a.example/", **SCOPE, now=NOW, expires_seconds=604_801),
    ):
        with pytest.raises(SigningError):
            attempt()


def test_the_same_moment_in_another_time_zone_signs_the_same():
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-7)))
    assert _sign(now=elsewhere) == _sign()
    assert _sign(now=NOW + timedelta(seconds=1)) != _sign()


def test_a_host_is_sent_as_it_is_signed():
    assert _sign("https://API.Example.com:443/")["Host"] == "api.example.com"
    assert _sign("http://api.example.com:443/")["Host"] == "api.example.com:443"
    given = _sign("https://127.0.0.1:4566/", [("host", "dynamodb.local")])
    assert given["host"] == "dynamodb.local"
    assert "Host" not in given


def test_s3_sends_its_payloads_hash_and_others_only_a_marker():
    assert len(_sign(service="s3")["x-amz-content-sha256"]) == 64
    assert "x-amz-content-sha256" not in _sign(body=b"{}")
    assert _sign(body=UNSIGNED_PAYLOAD)["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    by_hash = header_signature(Plain("PUT", "https://a.example/", (), b"abc"), Rules(), **SCOPE, now=NOW).signature
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert f"Signature={by_hash}" in _sign("https://a.example/", body=digest, method="PUT")["Authorization"]


@pytest.mark.parametrize(
    ("path", "s3", "others"),
    [
        ("", "/", "/"),
        ("/a b", "/a%20b", "/a%20b"),
        ("/a%20b", "/a%20b", "/a%2520b"),
        ("/a%2fb%2Fc", "/a%2Fb%2Fc", "/a%252fb%252Fc"),
        ("/%c3%a9%7E%41", "/%C3%A9~A", "/%25c3%25a9%257E%2541"),
        ("/a+b@c:d", "/a%2Bb%40c%3Ad", "/a%2Bb%40c%3Ad"),
        ("/a//b/../c/./", "/a//b/../c/./", "/a/c/"),
        ("/../..", "/../..", "/"),
        ("/50%", "/50%25", "/50%25"),
        ("/ሴ", "/%E1%88%B4", "/%E1%88%B4"),
    ],
)
def test_paths_by_service(path, s3, others):
    for service, expected in (("s3", s3), ("s3express", s3), ("sqs", others)):
        rules = rules_for(service)
        found = canonical_path(path, normalize=rules.normalize_path, double_encode=rules.double_encode_path)
        assert found == expected


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        ("", ""), ("&", ""), ("acl", "acl="), ("b=2&a=1&&a=0", "a=0&a=1&b=2"), ("a-b=1&a=2", "a=2&a-b=1"), ("a=b=c", "a=b%3Dc"),
        ("a=+", "a=%2B"), ("a=%2b%7e%zz", "a=%2B~%25zz"), ("=x", "=x"), ("B=1&a=1&%C3%A9=1", "%C3%A9=1&B=1&a=1"),
    ],
)  # fmt: skip
def test_queries(query, canonical):
    assert canonical_query(query) == canonical


def test_a_presigned_url_keeps_what_was_there_and_drops_the_fragment():
    url = presign("GET", "https://b.s3.amazonaws.com/k%20é?versionId=a%2Fb#top", **{**SCOPE, "service": "s3"}, now=NOW)
    assert url.startswith("https://b.s3.amazonaws.com/k%20é?versionId=a%2Fb&X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    assert "#" not in url
    assert presign("GET", "https://a.example", **SCOPE, now=NOW).startswith("https://a.example?X-Amz-Algorithm=")


def test_a_token_in_a_url_is_escaped_even_where_it_looks_escaped():
    keys = AwsKeys("AKID", "s", "a%2Fb/+=")
    signed = presigned_url(Plain("GET", "https://a.example/"), Rules(), 60, keys=keys, region="r", service="x", now=NOW)
    assert "X-Amz-Security-Token=a%252Fb%2F%2B%3D&" in signed.url
    assert "X-Amz-Security-Token=a%252Fb%2F%2B%3D&" in signed.canonical_request


def test_a_derived_key_is_remembered_by_all_of_its_parts():
    parts = ("secret", "20260301", "eu-central-1", "sqs")
    keys = {signing_key(*parts)} | {signing_key(*(*parts[:n], f"{parts[n]}x", *parts[n + 1 :])) for n in range(4)}
    assert len(keys) == 5
    assert signing_key(*parts) is signing_key(*parts)


def test_sigv4a_is_deterministic_and_names_its_regions():
    plain = Plain("GET", "https://a.example/")
    one, other = (
        sigv4a.header_signature(plain, Rules(), keys=KEYS, region_set="eu-*", service="s3", now=NOW) for _ in "12"
    )
    assert one == other
    assert ("X-Amz-Region-Set", "eu-*") in one.headers


def test_no_secret_in_what_is_printed():
    keys = AwsKeys("AKID", "s3cr3t-key", "s3cr3t-token")
    signed = header_signature(Plain("GET", "https://a.example/"), Rules(), keys=keys, region="r", service="x", now=NOW)
    assert "s3cr3t" not in repr(keys)
    assert "s3cr3t" not in repr(signed)
    url = presigned_url(Plain("GET", "https://a.example/"), Rules(), 9, keys=keys, region="r", service="x", now=NOW)
    assert "s3cr3t" not in repr(url)
    assert "s3cr3t-key" not in url.url


def test_signing_and_verifying_load_neither_cryptography_nor_a_framework():
    program = (
        "import sys, chalicelib.signing.sigv4, chalicelib.signing.sigv4a, chalicelib.signing.inbound,"
        " chalicelib.signing.outbound, chalicelib.signing.chunks\n"
        "heavy = {'cryptography', 'pydantic', 'botocore', 'boto3', 'httpx', 'asyncio', 'chalice', 'ssl', 'sqlite3'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Credentials on outgoing requests, by kind."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chalicelib.errors import CredentialUnfitError, PenstockError, SigningError
from chalicelib.signing.forms import AwsKeys
from chalicelib.signing.outbound import Outgoing, authorize, credential_fields
from chalicelib.signing.sigv4 import sign_headers

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REQUEST = Outgoing("POST", "https://api.example.com/v1/a%2Fb?x=1&y=%20", (("Accept", "*/*"), ("accept", "a/b")), b"{}")
AWS = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG", "region": "eu-central-1"}
GOOD = {
    "none": {},
    "bearer": {"token": "tok-3n"},
    "basic": {"username": "ann", "password": "p:ä ss"},
    "header": {"name": "X-Api-Key", "value": "k 1"},
    "query": {"name": "api key", "value": "a&b=c%20+ü"},
    "aws": {**AWS, "service": "sqs"},
}


def _authorize(kind, request=REQUEST, **fields):
    return authorize(kind, fields, request, now=NOW)


def test_nothing_is_added_without_a_credential():
    assert authorize("none", {}, REQUEST, now=NOW) == REQUEST


def test_a_bearer_token_replaces_whatever_stood_there():
    spoofed = replace(REQUEST, headers=(("AUTHORIZATION", "Basic x"), *REQUEST.headers))
    sent = _authorize("bearer", spoofed, token="tok-3n")
    assert sent == replace(REQUEST, headers=(*REQUEST.headers, ("Authorization", "Bearer tok-3n")))


def test_a_user_name_and_a_password_are_sent_as_utf8():
    header = dict(authorize("basic", GOOD["basic"], REQUEST, now=NOW).headers)["Authorization"]
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == "ann:p:ä ss"
    key_alone = dict(_authorize("basic", username="sk_live_1").headers)["Authorization"]
    assert base64.b64decode(key_alone.removeprefix("Basic ")) == b"sk_live_1:"


def test_a_named_header():
    assert ("X-Api-Key", "k 1") in authorize("header", GOOD["header"], REQUEST, now=NOW).headers


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://a.example", "https://a.example?k=v%2F%2B"),
        ("https://a.example/p?", "https://a.example/p?k=v%2F%2B"),
        ("https://a.example/p?a=1", "https://a.example/p?a=1&k=v%2F%2B"),
        ("https://a.example/p?a=%2f&", "https://a.example/p?a=%2f&k=v%2F%2B"),
        ("https://a.example/p#f?x", "https://a.example/p?k=v%2F%2B#f?x"),
    ],
)
def test_a_query_parameter_is_appended_and_the_rest_of_the_url_left_as_it_is(url, sent):
    assert _authorize("query", replace(REQUEST, url=url), name="k", value="v/+").url == sent


def test_a_query_parameter_that_is_already_there_is_not_sent_twice():
    for written in ("k", "%6B", "k="):
        with pytest.raises(SigningError):
            _authorize("query", replace(REQUEST, url=f"https://a.example/?a=1&{written}=2"), name="k", value="v")


def test_aws_is_signed_for_the_service_and_region_given():
    sent = authorize("aws", GOOD["aws"], REQUEST, now=NOW)
    keys = AwsKeys(AWS["access_key_id"], AWS["secret_access_key"])
    expected = sign_headers(
        "POST", REQUEST.url, REQUEST.headers, b"{}", keys=keys, region="eu-central-1", service="sqs", now=NOW
    )
    assert sent == replace(REQUEST, headers=tuple(expected))
    token = dict(authorize("aws", {**GOOD["aws"], "session_token": "T0/+="}, REQUEST, now=NOW).headers)
    assert token["X-Amz-Security-Token"] == "T0/+="
    assert "x-amz-security-token" in token["Authorization"]


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("dynamodb.eu-central-1.amazonaws.com", "eu-central-1/dynamodb"),
        ("my.bucket.s3.us-west-2.amazonaws.com", "us-west-2/s3"),
        ("b.s3.dualstack.us-west-2.amazonaws.com", "us-west-2/s3"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1/sqs"),
        ("abc.execute-api.us-gov-west-1.amazonaws.com", "us-gov-west-1/execute-api"),
        ("iam.amazonaws.com", "us-east-1/iam"),
        ("abcdef.lambda-url.eu-west-1.on.aws", "eu-west-1/lambda"),
    ],
)
def test_region_and_service_are_read_from_an_aws_host(host, scope):
    fields = {name: AWS[name] for name in ("access_key_id", "secret_access_key")}
    sent = authorize("aws", fields, replace(REQUEST, url=f"https://{host}/"), now=NOW)
    assert f"/20260301/{scope}/aws4_request" in dict(sent.headers)["Authorization"]


def test_a_region_that_nobody_says_is_asked_for():
    fields = {name: AWS[name] for name in ("access_key_id", "secret_access_key")}
    for extra in ({}, {"service": "sqs"}, {"service": "s q s", "region": "eu-central-1"}):
        with pytest.raises(CredentialUnfitError, match=r"region|service"):
            authorize("aws", {**fields, **extra}, REQUEST, now=NOW)


@pytest.mark.parametrize(
    ("hosts", "host", "may"),
    [
        ("api.example.com", "api.example.com", True),
        ("api.example.com", "API.Example.COM", True),
        ("API.example.com", "api.example.com.", True),
        ("api.example.com", "api.example.com:8443", True),
        ("api.example.com:8443", "api.example.com:8443", True),
        ("api.example.com:8443", "api.example.com", False),
        ("a.example, *.example.com", "x.y.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "evilexample.com", False),
        ("api.example.com", "api.example.com.evil.example", False),
        ("api.example.com", "xapi.example.com", False),
        ("api.example.com", "apiXexample.com", False),
        ("[::1]", "[::1]:80", True),
        ("127.0.0.1", "127.0.0.1:9", True),
    ],
)
@pytest.mark.parametrize("kind", ["bearer", "basic", "header", "query", "aws"])
def test_a_credential_goes_only_to_the_hosts_it_names(kind, hosts, host, may):
    request = replace(REQUEST, url=f"https://{host}/v1")
    fields = {**GOOD[kind], "hosts": hosts}
    if may:
        assert authorize(kind, fields, request, now=NOW) != request
    else:
        with pytest.raises(CredentialUnfitError, match="may not go to"):
            authorize(kind, fields, request, now=NOW)


@pytest.mark.parametrize(
    "hosts", ["", " ", ",", "https://a.example", "a.example/x", "*", "*.", "a.*.example", "a b", "é.de"]
)
def test_hosts_that_are_no_hosts_are_refused(hosts):
    with pytest.raises(CredentialUnfitError, match="hosts"):
        authorize("bearer", {"token": "t", "hosts": hosts}, REQUEST, now=NOW)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com@evil.example/", "https://evil.example\\@api.example.com/", "https://api.example.com\n/",
        "//api.example.com/", "ftp://api.example.com/", "https:/api.example.com", "https://", "https://api.exämple.com/",
        "https://api.example.com:80:80/", "https://api.example.com /", "https://[::1/", "https://%61pi.example.com/",
        "https://user:pw@api.example.com/", "", "api.example.com", "https://api.example.com/\x00",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", GOOD)
def test_a_url_that_two_readers_could_read_differently_is_refused(kind, url):
    with pytest.raises(SigningError):
        authorize(kind, {**GOOD[kind], "hosts": "api.example.com"}, replace(REQUEST, url=url), now=NOW)


@pytest.mark.parametrize("bad", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\n", "a\x7fb"])
def test_nothing_breaks_out_of_a_header(bad):
    for kind, name in (("bearer", "token"), ("header", "value"), ("header", "name"), ("aws", "access_key_id"),
                       ("aws", "session_token"), ("basic", "username"), ("basic", "password"), ("aws", "secret_access_key")):  # fmt: skip
        with pytest.raises(CredentialUnfitError):
            authorize(kind, {**GOOD[kind], name: bad}, REQUEST, now=NOW)
    for kind, fields in GOOD.items():
        for header in (("X-A", bad), (bad, "x")):
            with pytest.raises(SigningError):
                authorize(kind, fields, replace(REQUEST, headers=(header,)), now=NOW)
    sent = authorize("query", {"name": bad, "value": bad}, REQUEST, now=NOW)
    assert sent.url.isprintable()


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind != "none"])
def test_a_missing_or_empty_field_is_named(kind):
    for name in credential_fields(kind):
        for value in (None, "", 7):
            fields = {key: text for key, text in {**GOOD[kind], name: value}.items() if text is not None}
            with pytest.raises(CredentialUnfitError, match=name):
                authorize(kind, fields, REQUEST, now=NOW)


def test_an_unknown_kind_is_answered_with_those_that_exist():
    with pytest.raises(CredentialUnfitError, match=r"none, bearer, basic, header, query, aws"):
        authorize("oauth9", {}, REQUEST, now=NOW)
    with pytest.raises(CredentialUnfitError, match="oauth9"):
        credential_fields("oauth9")


def test_a_header_that_the_connection_needs_cannot_be_a_credential():
    for name in ("Host", "content-length", "Transfer-Encoding"):
        with pytest.raises(CredentialUnfitError):
            authorize("header", {"name": name, "value": "x"}, REQUEST, now=NOW)


def test_no_secret_shows_in_a_repr_or_an_error():
    canary, secrets = "c4n4ry-s3cret", ("token", "password", "value", "secret_access_key", "session_token")
    refused = 0
    for kind, good in GOOD.items():
        fields = {**good, **dict.fromkeys(secrets, canary)}
        assert canary not in repr(authorize(kind, fields, REQUEST, now=NOW))
        for broken in ({"hosts": "other.example"}, dict.fromkeys(secrets, canary + "\n"), {"username": ":"}):
            shown = _refusal(kind, {**fields, **broken})
            assert canary not in shown
            refused += bool(shown)
    assert refused == 10
    assert canary not in repr(AwsKeys("AKID", canary, canary))


def _refusal(kind, fields):
    try:
        authorize(kind, fields, REQUEST, now=NOW)
    except PenstockError as refused:
        return f"{refused!r} {refused} {refused.facts}"
    return ""

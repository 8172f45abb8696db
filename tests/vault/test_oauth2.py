"""OAuth 2.0 as values: what is sent, and what is made of any answer."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import CredentialUnfitError, PenstockError
from chalicelib.vault.oauth2 import (
    ASSUMED_SECONDS,
    TokenRequest,
    Tokens,
    authorization_url,
    challenge_of,
    code_request,
    is_expected_issuer,
    may_be_renewed,
    read_tokens,
    renewal_request,
    seconds_left,
    verifier_of,
    with_tokens,
)
from chalicelib.vault.oauth_errors import TokenRefusedError, TokenTroubleError
from chalicelib.vault.types import find_type

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CODE = find_type("oauth2_authorization_code")
CLIENT = find_type("oauth2_client_credentials")
JWT = find_type("oauth2_jwt_bearer")
FIELDS = {
    "client_id": "s6BhdRkqt3",
    "client_secret": "7Fjfp0ZBr1KtDRbnfVdmIw",
    "authorize_url": "https://server.example.com/authorize",
    "token_url": "https://server.example.com/token",
}
JSON = "application/json"


def form(request: TokenRequest) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def answer(value: Mapping[str, Any], status: int = 200, **hidden: str) -> Tokens:
    return read_tokens(status, JSON, json.dumps(value).encode(), hidden)


def test_the_challenge_is_that_of_rfc_7636_appendix_b() -> None:
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_verifier_takes_both_halves_and_is_one_of_rfc_7636() -> None:
    one = verifier_of(b"s" * 32, "state")
    assert len(one) == 43
    assert set(one) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    assert len({one, verifier_of(b"t" * 32, "state"), verifier_of(b"s" * 32, "state2")}) == 3


def test_a_person_is_sent_with_state_challenge_and_exactly_our_address() -> None:
    fields = {**FIELDS, "authorize_url": "https://server.example.com/authorize?tenant=7", "scope": "read write"}
    url = authorization_url(CODE, fields, redirect_uri="https://p.example/oauth/callback", state="xyz", challenge="c")
    assert url.startswith("https://server.example.com/authorize?tenant=7&")
    assert parse_qs(urlsplit(url).query) == {
        "tenant": ["7"],
        "response_type": ["code"],
        "client_id": ["s6BhdRkqt3"],
        "scope": ["read write"],
        "redirect_uri": ["https://p.example/oauth/callback"],
        "state": ["xyz"],
        "code_challenge": ["c"],
        "code_challenge_method": ["S256"],
    }
    assert "7Fjfp0ZBr1KtDRbnfVdmIw" not in url
    google = authorization_url(find_type("google_oauth"), FIELDS, redirect_uri="r", state="s", challenge="c")
    assert google.startswith("https://accounts.google.com/o/oauth2/v2/auth?")
    assert "access_type=offline" in google, "else Google gives no refresh token"


def test_a_code_is_asked_for_as_rfc_6749_section_4_1_3_has_it() -> None:
    redirect = "https://client.example.com/cb"
    request = code_request(CODE, FIELDS, code="SplxlOBeZQQYbYS6WxSbIA", redirect_uri=redirect, verifier="v")
    assert request.url == "https://server.example.com/token"
    # The header is the one that the RFC's example shows for this client.
    assert dict(request.headers)["authorization"] == "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"
    assert form(request) == {
        "grant_type": "authorization_code",
        "code": "SplxlOBeZQQYbYS6WxSbIA",
        "redirect_uri": redirect,
        "code_verifier": "v",
    }
    assert "7Fjfp0ZBr1KtDRbnfVdmIw" not in repr(request)


def test_a_client_shows_itself_by_header_by_form_or_by_its_id_alone() -> None:
    odd = {**FIELDS, "client_id": "a:b c", "client_secret": "ü&"}
    basic = renewal_request(CLIENT, odd, now=NOW, jti="j")
    assert dict(basic.headers)["authorization"] == "Basic YSUzQWIrYzolQzMlQkMlMjY=", "each half is encoded first"
    posted = renewal_request(CLIENT, {**odd, "client_auth": "post"}, now=NOW, jti="j")
    assert "authorization" not in dict(posted.headers)
    assert form(posted) == {"grant_type": "client_credentials", "client_id": "a:b c", "client_secret": "ü&"}
    public = code_request(CODE, {**FIELDS, "client_secret": ""}, code="c", redirect_uri="r", verifier="v")
    assert form(public)["client_id"] == "s6BhdRkqt3"
    assert "client_secret" not in form(public)
    with pytest.raises(CredentialUnfitError, match="client_auth"):
        renewal_request(CLIENT, {**odd, "client_auth": "digest"}, now=NOW, jti="j")


def test_a_token_is_renewed_as_its_type_says() -> None:
    renewed = renewal_request(CODE, {**FIELDS, "refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA"}, now=NOW, jti="j")
    assert form(renewed) == {"grant_type": "refresh_token", "refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA"}
    scoped = renewal_request(CLIENT, {**FIELDS, "scope": "a b"}, now=NOW, jti="j")
    assert form(scoped) == {"grant_type": "client_credentials", "scope": "a b"}
    assert may_be_renewed(CLIENT, {})
    assert may_be_renewed(JWT, {})
    assert may_be_renewed(CODE, {"refresh_token": "r"})
    assert not may_be_renewed(CODE, {"token": "t"})


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def pem(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def verified(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims, their signature checked with the public key."""
    head, claims, signature = assertion.split(".")
    signed = f"{head}.{claims}".encode()
    rsa_key().public_key().verify(urlsafe_b64decode(signature + "=="), signed, PKCS1v15(), SHA256())
    return json.loads(urlsafe_b64decode(head + "==")), json.loads(urlsafe_b64decode(claims + "=="))


def test_an_assertion_says_who_to_whom_and_until_when_and_is_signed() -> None:
    fields = {"issuer": "app-1", "private_key": pem(rsa_key()).replace("\n", "\\n"), "token_url": "https://t.example/t"}
    request = renewal_request(JWT, {**fields, "scope": "a", "key_id": "k1"}, now=NOW, jti="j1")
    asked = form(request)
    assert asked["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert asked["scope"] == "a"
    head, claims = verified(asked["assertion"])
    assert head == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    issued = int(NOW.timestamp())
    times = {"iat": issued, "exp": issued + 300}
    assert claims == {"iss": "app-1", "sub": "app-1", "aud": "https://t.example/t", "jti": "j1", "scope": "a", **times}


def test_a_google_account_speaks_for_itself_or_for_a_user_and_asks_google_alone() -> None:
    file = {
        "type": "service_account",
        "client_email": "robot@p.iam.gserviceaccount.com",
        "private_key_id": "abc",
        "private_key": pem(rsa_key()),
        "token_uri": "https://evil.example/token",
    }
    google = find_type("google_service_account")
    fields = {"key": json.dumps(file), "scope": "https://www.googleapis.com/auth/drive.readonly"}
    request = renewal_request(google, fields, now=NOW, jti="j")
    assert request.url == "https://oauth2.googleapis.com/token"
    assert form(request).keys() == {"grant_type", "assertion"}
    head, claims = verified(form(request)["assertion"])
    assert head["kid"] == "abc"
    assert claims["aud"] == "https://oauth2.googleapis.com/token"
    assert claims["iss"] == "robot@p.iam.gserviceaccount.com"
    assert claims["scope"] == fields["scope"]
    assert "sub" not in claims
    user = renewal_request(google, {**fields, "subject": "ann@example.com"}, now=NOW, jti="j")
    assert verified(form(user)["assertion"])[1]["sub"] == "ann@example.com"


@pytest.mark.parametrize(
    "key",
    [
        *("", "hunter22", "{}", '{"type": "authorized_user"}', "[" * 100_000, "null"),
        *('{"type": "service_account", "client_email": "e", "private_key": "hunter22"}', '{"private_key": 1}'),
    ],
)
def test_a_key_file_that_is_none_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(CredentialUnfitError) as caught:
        renewal_request(find_type("google_service_account"), {"key": key, "scope": "s"}, now=NOW, jti="j")
    assert "hunter22" not in caught.value.detail


@pytest.mark.parametrize("key", [rsa_key(1024), ec.generate_private_key(ec.SECP256R1())])
def test_a_key_too_weak_for_rs256_or_of_another_kind_is_refused(key: Any) -> None:
    fields = {"issuer": "a", "private_key": pem(key), "token_url": "https://t"}
    with pytest.raises(CredentialUnfitError, match=r"2,048"):
        renewal_request(JWT, fields, now=NOW, jti="j")


def test_the_answer_of_rfc_6749_section_5_1_is_read() -> None:
    given = {
        "access_token": "2YotnFZFEjr1zCsicMWpAA",
        "token_type": "example",
        "expires_in": 3600,
        "refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA",
        "example_parameter": "example_value",
    }
    with pytest.raises(TokenTroubleError, match="Bearer"):
        answer(given)
    read = answer({**given, "token_type": "BEARER"})
    assert read == Tokens("2YotnFZFEjr1zCsicMWpAA", "tGzv3JOkF0XG5Qx2TlKWIA", 3600)
    assert "2YotnFZFEjr1zCsicMWpAA" not in repr(read)
    assert "tGzv3JOkF0XG5Qx2TlKWIA" not in repr(read)


@pytest.mark.parametrize(
    ("expires", "seconds"),
    [(3600, 3600), ("3600", 3600), (3599.5, 3599), (0, 0), (None, None), (-1, None), (True, None), ("soon", None)],
)
def test_the_life_of_a_token_is_a_number_however_it_is_written(expires: object, seconds: int | None) -> None:
    assert answer({"access_token": "t", "expires_in": expires}).seconds == seconds


def test_answers_of_services_that_go_their_own_way_are_read() -> None:
    assert answer({"ok": True, "access_token": "xoxb-1", "token_type": "bot"}).access == "xoxb-1"
    text = b"access_token=gho_1&scope=repo&token_type=bearer"
    assert read_tokens(200, "application/x-www-form-urlencoded; charset=utf-8", text, {}).access == "gho_1"


@pytest.mark.parametrize(
    ("status", "value", "says"),
    [
        (400, {"error": "invalid_grant", "error_description": "Token has been revoked."}, "invalid_grant: Token has"),
        (200, {"error": "bad_verification_code"}, "bad_verification_code"),
        (200, {"ok": False, "error": "invalid_code"}, "invalid_code"),
        (401, {"error": {"message": "No such client", "code": 7}}, "No such client"),
        (403, {}, "status 403"),
        (200, {"ok": False}, "status 200"),
    ],
)
def test_a_no_is_a_no_whatever_its_status(status: int, value: dict[str, Any], says: str) -> None:
    with pytest.raises(TokenRefusedError, match=says):
        answer(value, status)


@pytest.mark.parametrize(
    ("status", "value"),
    [
        *((500, {}), (503, {"access_token": "t"}), (429, {}), (400, {"error": "temporarily_unavailable"})),
        *((200, {}), (200, {"access_token": ""}), (200, {"access_token": "a\r\nb"}), (200, {"access_token": 7})),
        *((302, {"access_token": "t"}), (200, {"access_token": "t", "token_type": "mac"})),
    ],
)
def test_what_is_no_token_and_no_refusal_may_pass(status: int, value: dict[str, Any]) -> None:
    with pytest.raises(TokenTroubleError):
        answer(value, status)


def test_what_a_service_says_is_shown_short_printable_and_without_our_secrets() -> None:
    said = "refresh_token 1//secret-of-ours\r\nis\x1b[31m bad " + "x" * 1000
    with pytest.raises(TokenRefusedError) as caught:
        answer({"error": "invalid_grant", "error_description": said}, 400, refresh_token="1//secret-of-ours")
    detail = caught.value.detail
    assert "secret-of-ours" not in detail
    assert "invalid_grant: refresh_token ***" in detail
    assert detail.isprintable()
    assert len(detail) < 400


@given(st.integers(100, 599), st.sampled_from(["", JSON, "application/x-www-form-urlencoded"]), st.binary(max_size=80))
def test_any_answer_at_all_is_a_token_or_one_of_our_errors(status: int, kind: str, body: bytes) -> None:
    try:
        read_tokens(status, kind, body, {})
    except PenstockError as error:
        assert isinstance(error, TokenRefusedError | TokenTroubleError)  # noqa: PT017 - a value is fine as well


def test_a_refresh_token_that_is_not_replaced_stays_and_one_that_is_replaces_it() -> None:
    before = {**FIELDS, "token": "old", "refresh_token": "r1", "expires_at": "1"}
    kept = with_tokens(CODE, before, Tokens("new", None, 10), now=NOW, is_first=False)
    assert kept == {**before, "token": "new", "expires_at": str(int(NOW.timestamp()) + 10)}
    rotated = with_tokens(CODE, before, Tokens("new", "r2", 10), now=NOW, is_first=False)
    assert rotated["refresh_token"] == "r2"
    again = with_tokens(CODE, before, Tokens("new", None, 10), now=NOW, is_first=True)
    assert "refresh_token" not in again, "what another consent gave is not this one's"


def test_a_token_of_unsaid_life_is_renewed_in_time_or_lasts_until_it_is_taken_back() -> None:
    renewable = with_tokens(CODE, FIELDS, Tokens("t", "r", None), now=NOW, is_first=True)
    assert seconds_left(renewable, NOW) == ASSUMED_SECONDS
    assert seconds_left(with_tokens(CODE, FIELDS, Tokens("t"), now=NOW, is_first=True), NOW) is None
    assert seconds_left({}, NOW) == 0
    for text in ("1", "soon", "-5", "9" * 400, "\u0661"):
        assert seconds_left({"token": "t", "expires_at": text}, NOW) == 0


@pytest.mark.parametrize(
    ("named", "sent", "is_expected"),
    [
        ("https://honest.example", "https://honest.example", True),
        ("https://honest.example", "https://honest.example/", False),
        ("https://honest.example", "https://attacker.example", False),
        ("https://honest.example", None, False),
        ("", None, True),
        ("", "https://server.example.com/realm", True),
        ("", "https://server.example.com:444", False),
        ("", "http://server.example.com", False),
        ("", "https://attacker.example", False),
        ("", "https://[", False),
        ("", "", False),
    ],
)
def test_an_answer_of_another_service_is_refused_by_its_issuer(named: str, sent: str | None, is_expected: bool) -> None:
    assert is_expected_issuer(CODE, {**FIELDS, "issuer": named}, sent) is is_expected


def test_a_type_whose_token_is_typed_in_is_not_connected() -> None:
    with pytest.raises(CredentialUnfitError, match="typed in"):
        may_be_renewed(find_type("bearer"), {})

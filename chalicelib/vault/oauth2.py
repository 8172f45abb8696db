"""OAuth 2.0 as a client speaks it, as values: addresses and requests to send, answers read. Nothing is sent here.

Sources: RFC 6749 (the framework), RFC 7636 (PKCE, always with S256), RFC 7521 and 7523 (assertions), RFC 9207 (`iss`),
and RFC 9700, the best current practice: the code flow with PKCE for every client, exact redirect addresses, and
refresh tokens that are replaced.
"""

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from chalicelib.errors import CredentialUnfitError
from chalicelib.vault.oauth_errors import TokenRefusedError, TokenTroubleError
from chalicelib.vault.type_words import CredentialType, OAuth2Type

RENEWED_BEFORE_SECONDS: Final = 60
"""So long before its end a token is renewed: it must outlast the step that is handed it."""
ASSUMED_SECONDS: Final = 3600
"""The life of a token that can be renewed, where the service does not say it (`expires_in` is only recommended)."""

_LONGEST_LIFE: Final = 10 * 366 * 86_400
_LONGEST_TOKEN: Final = 16_000
_LONGEST_SAID: Final = 300
_SHORTEST_SECRET: Final = 4
_FORM: Final[tuple[str, str]] = ("content-type", "application/x-www-form-urlencoded")
_JSON: Final[tuple[str, str]] = ("accept", "application/json")
_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Slack calls its own `bot` and sends them as Bearer all the same.
_BEARERS: Final = frozenset({"bearer", "bot"})


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A POST to a token endpoint (RFC 6749, section 3.2)."""

    url: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a token endpoint gave (RFC 6749, section 5.1). `seconds` is the access token's life, None where unsaid."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    seconds: int | None = None


def verifier_of(seed: bytes, state: str) -> str:
    """The PKCE verifier of one connection: 43 characters out of two halves that never lie in one place.

    The seed stays in our store, the state travels with the person and is stored as its hash alone; who has but one of
    them has no verifier (RFC 7636, section 4.1 asks for 256 bits nobody can guess).
    """
    return _base64url(hmac.digest(seed, state.encode(), "sha256"))


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, section 4.2)."""
    return _base64url(hashlib.sha256(verifier.encode("ascii")).digest())


def authorization_url(
    kind: CredentialType, fields: Mapping[str, str], *, redirect_uri: str, state: str, challenge: str
) -> str:
    """Where a person is sent to agree (RFC 6749, section 4.1.1; RFC 7636, section 4.3)."""
    oauth = oauth_of(kind)
    asked = {
        "response_type": "code",
        "client_id": fields["client_id"],
        "redirect_uri": redirect_uri,
        **({"scope": fields["scope"]} if fields.get("scope") else {}),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **dict(oauth.parameters),
    }
    address = authorize_url_of(kind, fields)
    # A query that the address has already stays as it is (RFC 6749, section 3.1).
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"


def authorize_url_of(kind: CredentialType, fields: Mapping[str, str]) -> str:
    """Where the service asks people: the type's address, else the credential's."""
    return oauth_of(kind).authorize_url or fields["authorize_url"]


def token_url_of(kind: CredentialType, fields: Mapping[str, str]) -> str:
    """Where the service gives out tokens: the type's address, else the credential's."""
    return oauth_of(kind).token_url or fields["token_url"]


def is_expected_issuer(kind: CredentialType, fields: Mapping[str, str], issuer: str | None) -> bool:
    """Whether an answer is from the service that was asked, by its `iss` (RFC 9207, section 2.4).

    A credential that names its issuer wants exactly that one, and wants it said. Where it names none, one that is said
    must at least live where the person was sent: an answer of another service is refused (RFC 9700, section 4.4).
    """
    expected = oauth_of(kind).issuer or fields.get("issuer", "")
    if expected:
        return issuer is not None and hmac.compare_digest(expected.encode(), issuer.encode("utf-8", "replace"))
    if issuer is None:
        return True
    try:
        said, asked = urlsplit(issuer), urlsplit(authorize_url_of(kind, fields))
        return (said.scheme, said.hostname, said.port) == (asked.scheme, asked.hostname, asked.port)
    except ValueError:
        return False


def code_request(
    kind: CredentialType, fields: Mapping[str, str], *, code: str, redirect_uri: str, verifier: str
) -> TokenRequest:
    """Ask for the tokens of a code (RFC 6749, section 4.1.3; RFC 7636, section 4.5)."""
    asked = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    return _token_request(kind, fields, asked)


def renewal_request(kind: CredentialType, fields: Mapping[str, str], *, now: datetime, jti: str) -> TokenRequest:
    """Ask for a new token, in the way of the credential's type; `jti` names an assertion, and is used for one alone.

    Raises CredentialUnfitError where a key cannot be read.
    """
    match oauth_of(kind).grant:
        case "authorization_code":  # RFC 6749, section 6
            return _token_request(
                kind, fields, {"grant_type": "refresh_token", "refresh_token": fields["refresh_token"]}
            )
        case "client_credentials":  # RFC 6749, section 4.4.2
            scope = {"scope": fields["scope"]} if fields.get("scope") else {}
            return _token_request(kind, fields, {"grant_type": "client_credentials", **scope})
        case "jwt_bearer":  # RFC 7523, section 2.1
            from chalicelib.vault.assertions import assertion_of  # imported late: it brings cryptography

            audience = oauth_of(kind).audience or fields.get("audience") or token_url_of(kind, fields)
            asked = {"grant_type": _JWT_BEARER, "assertion": assertion_of(fields, audience=audience, now=now, jti=jti)}
            if fields.get("scope") and "key" not in fields:
                asked["scope"] = fields["scope"]  # RFC 7521, section 4.1; Google reads it in the assertion alone
            body = urlencode(asked).encode()
            return TokenRequest(token_url_of(kind, fields), (_FORM, _JSON), body)


def may_be_renewed(kind: CredentialType, fields: Mapping[str, str]) -> bool:
    """Whether a new token can be had without a person."""
    return oauth_of(kind).grant != "authorization_code" or bool(fields.get("refresh_token"))


def seconds_left(fields: Mapping[str, str], now: datetime) -> float | None:
    """How long the token still lasts; 0 without one, None where it lasts until it is taken back."""
    if not fields.get("token"):
        return 0.0
    text = fields.get("expires_at", "")
    if not text:
        return None
    # Somebody may have typed it in: what is no number has passed.
    return max(0.0, int(text) - now.timestamp()) if text.isascii() and text.isdecimal() and len(text) < 16 else 0.0


def with_tokens(
    kind: CredentialType, fields: Mapping[str, str], tokens: Tokens, *, now: datetime, is_first: bool
) -> dict[str, str]:
    """The credential's fields with what was given.

    A refresh token that is not replaced stays (RFC 6749, section 6); with `is_first`, the answer to a person's consent,
    what was there before belonged to another consent and goes.
    """
    kept = {name: value for name, value in fields.items() if name not in {"token", "expires_at"}}
    if is_first:
        kept.pop("refresh_token", None)
    kept["token"] = tokens.access
    if tokens.refresh:
        kept["refresh_token"] = tokens.refresh
    seconds = tokens.seconds
    if seconds is None and may_be_renewed(kind, kept):
        seconds = ASSUMED_SECONDS
    if seconds is not None:
        kept["expires_at"] = str(int(now.timestamp()) + seconds)
    return kept


def read_tokens(status: int, content_type: str, body: bytes, hidden: Mapping[str, str]) -> Tokens:
    """The tokens in an answer.

    Args:
        status: the answer's.
        content_type: its header's value.
        body: its bytes.
        hidden: fields of which nothing may stand in an error.

    Raises:
        TokenRefusedError: the service says no (RFC 6749, section 5.2; some say it with status 200).
        TokenTroubleError: it failed, or what it answered is no token.
    """
    answer = _read_object(content_type, body)
    error = answer.get("error")
    if isinstance(error, Mapping):  # a few wrap it: {"error": {"message": ...}}
        error = cast("Mapping[str, Any]", error).get("message") or "error"
    if status >= 500 or status == 429 or error in {"temporarily_unavailable", "server_error", "slow_down"}:
        raise TokenTroubleError(f"The service answered {status} when asked for a token. {said(answer, hidden)}".strip())
    if error or status >= 400 or answer.get("ok") is False:
        raise TokenRefusedError(f"The service refused to give a token: {said(answer, hidden) or f'status {status}.'}")
    access, kind = answer.get("access_token"), answer.get("token_type", "bearer")
    if status >= 300 or not isinstance(access, str) or not _is_token(access):
        raise TokenTroubleError(f"The service answered {status} when asked for a token, and gave none.")
    if not isinstance(kind, str) or kind.lower() not in _BEARERS:  # RFC 6749, section 7.1
        raise TokenTroubleError("The service gave a token of a type that is none of ours to send. Bearer is.")
    refresh = answer.get("refresh_token")
    if not (isinstance(refresh, str) and _is_token(refresh)):
        refresh = None
    return Tokens(access, refresh, _seconds(answer.get("expires_in")))


def said(answer: Mapping[str, Any], hidden: Mapping[str, str]) -> str:
    """What a service said went wrong, short, printable and without a secret; empty where it said nothing."""
    parts = [answer.get("error"), answer.get("error_description")]
    if isinstance(parts[0], Mapping):
        parts = [cast("Mapping[str, Any]", parts[0]).get("message")]
    text = ": ".join(str(part) for part in parts if isinstance(part, str) and part)
    text = "".join(each if each.isprintable() else " " for each in text[:4000])
    for secret in sorted(hidden.values(), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text[:_LONGEST_SAID].strip()


def oauth_of(kind: CredentialType) -> OAuth2Type:
    """How the type gets tokens; raises CredentialUnfitError for one whose token is typed in."""
    if kind.oauth2 is None:
        raise CredentialUnfitError(f"A credential of the type {kind.name} is not connected: its fields are typed in.")
    return kind.oauth2


def _token_request(kind: CredentialType, fields: Mapping[str, str], asked: Mapping[str, str]) -> TokenRequest:
    """With the client's authentication (RFC 6749, section 2.3.1); with its id alone where it is public (3.2.1)."""
    client, secret = fields["client_id"], fields.get("client_secret", "")
    headers: list[tuple[str, str]] = [_FORM, _JSON]
    form = dict(asked)
    way = fields.get("client_auth") or oauth_of(kind).client_auth
    if not secret:
        form["client_id"] = client
    elif way == "post":
        form |= {"client_id": client, "client_secret": secret}
    elif way == "basic":
        pair = f"{quote_plus(client)}:{quote_plus(secret)}".encode()
        headers.append(("authorization", f"Basic {b64encode(pair).decode()}"))
    else:
        raise CredentialUnfitError("The credential's field client_auth is `basic` or `post`.")
    return TokenRequest(token_url_of(kind, fields), tuple(headers), urlencode(form).encode())


def _read_object(content_type: str, body: bytes) -> Mapping[str, Any]:
    """The answer's fields: JSON, or the form that a few services still send; empty where it is neither."""
    text = body[:200_000].decode("utf-8", "replace")
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        return dict(parse_qsl(text, max_num_fields=100)) if text.count("&") < 100 else {}
    try:
        answer: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}


def _is_token(text: str) -> bool:
    """Whether it can stand in a header (RFC 6749, appendix A.12: visible ASCII; RFC 6750 would have less)."""
    return 0 < len(text) <= _LONGEST_TOKEN and text.isascii() and text.isprintable() and " " not in text


def _seconds(given: object) -> int | None:
    """`expires_in`: a number, or the text of one; None where there is none."""
    if isinstance(given, str) and given.isascii() and given.isdecimal():
        given = int(given[:12])
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= _LONGEST_LIFE:
        return None
    return int(given)


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")

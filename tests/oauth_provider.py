"""An OAuth 2.0 service on loopback that holds clients to the rules: PKCE, codes that work once, refresh tokens that are
replaced and whose reuse takes everything back.

    async with Stub() as stub:
        provider = Provider(stub)
        back = provider.agree(url)       # what the browser would bring back: {"code", "state", "iss"}
"""

import hashlib
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

from tests.stub import Answer, Seen, Stub

CLIENT, SECRET = "client-1", "client-secret-0123456789"


@dataclass
class Provider:
    """Its answers, and what it saw."""

    stub: Stub
    expires_in: int | None = 3600
    rotates: bool = True
    issuer: str | None = None
    token_requests: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    living: set[str] = field(default_factory=set)
    """Refresh tokens that still work."""
    is_revoked: bool = False
    before: Callable[[], Answer | None] | None = None
    """Asked before a token is given out; an answer of its is sent instead."""
    numbers: int = 0

    def __post_init__(self) -> None:
        self.stub.answer("/token", self._token)

    @property
    def fields(self) -> dict[str, str]:
        """A credential of the type `oauth2_authorization_code` for its client."""
        urls = {"authorize_url": f"{self.stub.url}/authorize", "token_url": f"{self.stub.url}/token"}
        return {"client_id": CLIENT, "client_secret": SECRET, "scope": "read write", **urls}

    def agree(self, url: str) -> dict[str, str]:
        """A person opens the address and agrees; the query that the browser is sent back with."""
        parts = urlsplit(url)
        asked = {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.stub.url}/authorize"
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert asked["client_id"] == CLIENT
        code = self._new("code")
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], **({"iss": self.issuer} if self.issuer else {})}

    def tokens(self) -> dict[str, Any]:
        """New ones, as an answer has them."""
        given: dict[str, Any] = {"access_token": self._new("access"), "token_type": "Bearer"}
        if self.expires_in is not None:
            given["expires_in"] = self.expires_in
        return given

    def _new(self, what: str) -> str:
        self.numbers += 1
        return f"{what}-{self.numbers:03}-{'x' * 20}"

    def _token(self, seen: Seen) -> Answer:
        form = {name: values[0] for name, values in parse_qs(seen.body.decode(), strict_parsing=True).items()}
        self.token_requests.append(form)
        if self.before is not None and (instead := self.before()) is not None:
            return instead
        if _client(seen, form) != (CLIENT, SECRET):
            return _no("invalid_client", 401)
        match form["grant_type"]:
            case "authorization_code":
                return self._for_code(form)
            case "refresh_token":
                return self._for_refresh(form["refresh_token"])
            case "client_credentials":
                return Answer.of_json(self.tokens())
            case other:
                return _no("unsupported_grant_type", 400, other)

    def _for_code(self, form: dict[str, str]) -> Answer:
        asked = self.codes.pop(form["code"], None)
        if asked is None:
            self.is_revoked = True
            return _no("invalid_grant", 400, "The code was used before, or was never given.")
        challenge = urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return _no("invalid_grant", 400, "The verifier or the redirect address does not match.")
        return Answer.of_json({**self.tokens(), "refresh_token": self.new_refresh(), "scope": asked.get("scope", "")})

    def new_refresh(self) -> str:
        """A refresh token that works."""
        token = self._new("refresh")
        self.living = {token}
        return token

    def _for_refresh(self, token: str) -> Answer:
        if self.is_revoked or token not in self.living:
            self.is_revoked = True
            return _no("invalid_grant", 400, f"The refresh token {token} was used before: all of them are taken back.")
        if not self.rotates:
            return Answer.of_json(self.tokens())
        return Answer.of_json({**self.tokens(), "refresh_token": self.new_refresh()})


def _client(seen: Seen, form: dict[str, str]) -> tuple[str, str]:
    header = seen.header("authorization")
    if header is None:
        return form.get("client_id", ""), form.get("client_secret", "")
    name, _, secret = b64decode(header.removeprefix("Basic ")).decode().partition(":")
    return unquote_plus(name), unquote_plus(secret)


def _no(error: str, status: int, description: str = "") -> Answer:
    body = {"error": error, **({"error_description": description} if description else {})}
    return Answer(status, (("content-type", "application/json"),), json.dumps(body).encode())

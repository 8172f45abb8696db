"""Tokens of an issuer (OpenID Connect) as keys: who people are is the issuer's to say, what they may do is ours.

`PENSTOCK_OIDC` names the issuer, the audience and which of a claim's values stand for which role. A token counts where
its signature is by a key of the issuer's, with an algorithm that was pinned beforehand (never `none`, never one with a
shared secret), and issuer, audience and times fit. The first role that a token names, from the highest on, is its role.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from urllib.parse import urlsplit

from chalicelib.api.auth import MAIN_TENANT, Caller, Role
from chalicelib.api.issuer_keys import IssuerKeys
from chalicelib.errors import ForbiddenError, SettingError, UnauthenticatedError
from chalicelib.flow.model import FLOW_NAME
from chalicelib.flow.values import Json
from chalicelib.ports import Clock, Http

if TYPE_CHECKING:
    from jwt.types import Options

_CURVES: Final[Mapping[str, str]] = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
ALGORITHMS: Final = frozenset({*_RSA, *_CURVES})
"""Those that may be pinned (RFC 7518 section 3.1): signatures by a private key that the issuer alone has."""
MOST_LEEWAY: Final = 300
_TOKEN: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_PLAIN_NAME: Final = re.compile(r"[\w.@|:/+-]{1,120}", re.ASCII)
_NO_SIGN: Final = "The token cannot be verified. Ask its issuer for a new one."


class Issuer(NamedTuple):
    """Whose tokens count, and what they allow.

    Attributes:
        url: the issuer, exactly as its tokens name it.
        audience: one of these must be meant.
        algorithms: those that its signatures may have.
        claim: where roles are found in a token: a name, or names that lead into objects.
        roles: role by value of that claim.
        tenant: whose flows all of its tokens are about, unless `tenant_claim` says where a token names its tenant.
        leeway: seconds by which clocks may differ.
    """

    url: str
    audience: tuple[str, ...]
    claim: tuple[str, ...]
    roles: Mapping[str, Role]
    algorithms: tuple[str, ...] = ("RS256",)
    tenant: str = MAIN_TENANT
    tenant_claim: tuple[str, ...] = ()
    leeway: int = 60


class TokenKeys:
    """Fulfils `Keys` with the tokens of one issuer; one for the life of a process."""

    def __init__(self, issuer: Issuer, http: Http, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys = IssuerKeys(issuer.url, http, clock)

    async def caller(self, key: str) -> Caller | None:
        """Whose token this is; None for what is no token of any kind.

        Raises UnauthenticatedError where it does not count, ForbiddenError where it names no role or no tenant, and
        ServiceError where the issuer's keys cannot be fetched.
        """
        if not _TOKEN.fullmatch(key):
            return None
        header = _header_of(key)
        name, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in self._issuer.algorithms or not isinstance(name, str) or not name:
            raise UnauthenticatedError(_NO_SIGN)
        found = await self._keys.named(name)
        if found is None:
            raise UnauthenticatedError(_NO_SIGN)
        claims = _verified(key, found, str(algorithm), self._issuer)
        _refuse_times(claims, int(self._clock.now().timestamp()), self._issuer.leeway)
        return self._caller_of(claims)

    async def holder(self, tenant: str, who: str, hashed: str) -> None:
        """Nothing is kept of a token by which it could be known again."""

    def used(self, caller: Caller) -> None:
        """Nothing is written about a token."""

    def forget(self, tenant: str, key_id: str) -> None:
        """Nothing is remembered of a token."""

    def _caller_of(self, claims: Mapping[str, Any]) -> Caller:
        issuer = self._issuer
        values = set(_texts(_claim(claims, issuer.claim)))
        roles = [role for value, role in issuer.roles.items() if value in values]
        if not roles:
            raise ForbiddenError(f"The token's claim `{'.'.join(issuer.claim)}` names no role here.")
        tenant = issuer.tenant
        if issuer.tenant_claim:
            named = _claim(claims, issuer.tenant_claim)
            if not isinstance(named, str) or not FLOW_NAME.fullmatch(named):
                raise ForbiddenError(f"The token's claim `{'.'.join(issuer.tenant_claim)}` names no tenant.")
            tenant = named
        return Caller(_id_of(str(claims["sub"])), max(roles), tenant)


def issuer_from(setting: str) -> Issuer:
    """The issuer that `PENSTOCK_OIDC` describes; raises SettingError that names what is wrong with it."""
    try:
        given: Any = json.loads(setting)
    except ValueError:
        raise _wrong("it is no JSON") from None
    if not isinstance(given, dict):
        raise _wrong("it is no object")
    found = cast("dict[str, Json]", given)
    if unknown := sorted(found.keys() - {*Issuer._fields, "issuer"} | found.keys() & {"url"}):
        raise _wrong(f"there is no `{unknown[0][:40]}`")
    algorithms = tuple(_names(found.get("algorithms", ["RS256"]), "algorithms"))
    if forbidden := [each for each in algorithms if each not in ALGORITHMS]:
        raise _wrong(f"`algorithms` may hold {', '.join(sorted(ALGORITHMS))}, not {forbidden[0][:20]}")
    leeway = found.get("leeway", 60)
    if isinstance(leeway, bool) or not isinstance(leeway, int) or not 0 <= leeway <= MOST_LEEWAY:
        raise _wrong(f"`leeway` is 0 to {MOST_LEEWAY} seconds")
    tenant = found.get("tenant", MAIN_TENANT)
    if not isinstance(tenant, str) or not FLOW_NAME.fullmatch(tenant):
        raise _wrong("`tenant` is no tenant's name")
    return Issuer(
        _url(found.get("issuer")),
        tuple(_names(found.get("audience"), "audience")),
        tuple(_names(found.get("claim"), "claim")),
        _roles(found.get("roles")),
        algorithms,
        tenant,
        tuple(_names(found["tenant_claim"], "tenant_claim")) if "tenant_claim" in found else (),
        leeway,
    )


def _url(given: Json) -> str:
    try:
        parts = urlsplit(given if isinstance(given, str) else "")
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise _wrong("`issuer` is an address that begins with https://, as the tokens name it")
    return str(given)


def _names(given: Json, where: str) -> Iterator[str]:
    """A text, or a list of texts."""
    several = given if isinstance(given, list) else [given]
    if not several or not all(isinstance(each, str) and each for each in several):
        raise _wrong(f"`{where}` is a text, or a list of texts")
    yield from map(str, several)


def _roles(given: Json) -> Mapping[str, Role]:
    known = {role.name.lower(): role for role in Role}
    if not isinstance(given, dict) or not given or not all(role in known for role in map(str, given.values())):
        raise _wrong(f"`roles` is an object: a role ({', '.join(known)}) by each value of the claim")
    return {value: known[str(role)] for value, role in given.items()}


def _wrong(what: str) -> SettingError:
    return SettingError(f"PENSTOCK_OIDC cannot be used: {what}. docs/access.md shows one.")


def _header_of(token: str) -> Mapping[str, Any]:
    import jwt  # imported late, as below: only tokens need it

    try:
        return jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise UnauthenticatedError(_NO_SIGN) from error


def _verified(token: str, found: Mapping[str, Any], algorithm: str, issuer: Issuer) -> Mapping[str, Any]:
    """The claims of a token, times aside; raises UnauthenticatedError where anything does not fit."""
    import jwt

    options: Options = {
        "require": ["exp", "iss", "aud", "sub"],
        "verify_exp": False,  # ours is the clock: see _refuse_times
        "verify_nbf": False,
        "verify_iat": False,
        "enforce_minimum_key_length": True,
    }
    try:
        return jwt.decode(
            token,
            _signing_key(found, algorithm),
            algorithms=[algorithm],
            audience=list(issuer.audience),
            issuer=issuer.url,
            options=options,
        )
    except jwt.PyJWTError as error:
        raise UnauthenticatedError(_NO_SIGN) from error


def _signing_key(found: Mapping[str, Any], algorithm: str) -> Any:
    """An issuer's key for this algorithm and no other; a key for something else is none."""
    import jwt

    is_rsa = algorithm in _RSA
    fits = found.get("kty") == "RSA" if is_rsa else found.get("crv") == _CURVES[algorithm] and found.get("kty") == "EC"
    if not fits or found.get("use", "sig") != "sig" or found.get("alg", algorithm) != algorithm or "d" in found:
        raise UnauthenticatedError(_NO_SIGN)
    return jwt.PyJWK(dict(found), algorithm)


def _refuse_times(claims: Mapping[str, Any], now: int, leeway: int) -> None:
    """Raise UnauthenticatedError before the token counts, or after it did (RFC 7519 section 4.1)."""
    times = [claims.get("exp"), claims.get("nbf", 0), claims.get("iat", 0)]
    if not all(isinstance(each, int | float) and not isinstance(each, bool) and isfinite(each) for each in times):
        raise UnauthenticatedError(_NO_SIGN)
    expires, *begins = cast("list[float]", times)
    if expires + leeway <= now:
        raise UnauthenticatedError("The token has expired. Ask its issuer for a new one.")
    if max(begins) - leeway > now:
        raise UnauthenticatedError("The token is not valid yet.")


def _claim(claims: Mapping[str, Any], path: Sequence[str]) -> Any:
    found: Any = claims
    for name in path:
        found = cast("Mapping[str, Any]", found).get(name) if isinstance(found, dict) else None
    return found


def _texts(value: Any) -> list[str]:
    """A claim's values: a text, words between blanks (RFC 8693's `scope`), or a list of texts."""
    if isinstance(value, str):
        return [value, *value.split()]
    return [each for each in cast("list[Any]", value) if isinstance(each, str)] if isinstance(value, list) else []


def _id_of(subject: str) -> str:
    """How a person is called in records: as the issuer does, unless that is no plain name."""
    plain = subject if _PLAIN_NAME.fullmatch(subject) else hashlib.sha256(subject.encode()).hexdigest()[:16]
    return f"user_{plain}"

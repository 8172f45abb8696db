"""The types of credentials: their fields, which of them are secret, where they may go, how they sign and are renewed.

A service says by its kind how its requests are signed (`kit.service.Service.credential`); a type says what somebody
types in for that. The general types fit every service of their kind, the others the service they name.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from chalicelib.errors import CredentialUnfitError
from chalicelib.vault.known_types import GENERAL, OF_SERVICES
from chalicelib.vault.type_words import CredentialType, Field, OAuth2Type, TestRequest

__all__ = ["CredentialType", "Field", "OAuth2Type", "TestRequest", "check_fields", "find_type", "guessed_type"]
__all__ += ["opened_fields", "public_fields", "secret_fields", "types", "types_for"]


def find_type(name: str) -> CredentialType:
    """The type of this name; raises CredentialUnfitError naming those there are."""
    found = _by_name().get(name)
    if found is None:
        raise CredentialUnfitError(
            f"There is no credential type {name[:60]!r}. There are: {', '.join(sorted(_by_name()))}."
        )
    return found


def types() -> tuple[CredentialType, ...]:
    """Every type: the general ones first."""
    return (*GENERAL, *OF_SERVICES)


def types_for(service: str, kind: str) -> tuple[CredentialType, ...]:
    """The types that fit a service of this name whose requests are signed so, those of its own first."""
    signing = [each for each in types() if each.kind not in {"none", "secret"}]
    if kind in {"any", "optional"}:
        fitting = signing
    else:
        fitting = [each for each in types() if each.kind == kind and kind != "none"]
    own = [each for each in fitting if each.service == service and service]
    return (*own, *(each for each in fitting if not each.service))


def guessed_type(fields: Mapping[str, str]) -> str:
    """The general type that fields without one are most likely of; `custom` where nothing else fits."""
    for name, telling in _TELLING:
        kind = find_type(name)
        if telling <= fields.keys() and fields.keys() <= {each.name for each in kind.fields} | {"kind"}:
            return name
    return "custom"


def check_fields(kind: CredentialType, fields: Mapping[str, object]) -> dict[str, str]:
    """The fields as they are to be stored, empty ones left out; raises CredentialUnfitError, which never shows a value.

    `hosts` and `base_url` are read as `signing.outbound` will read them, so that a mistake shows now.
    """
    known = {each.name for each in kind.fields}
    if not kind.takes_any and (unknown := sorted(name for name in fields if name not in known)):
        shown = ", ".join(name[:40] if name.isidentifier() else "(no name)" for name in unknown[:5])
        raise CredentialUnfitError(
            f"A credential of the type {kind.name} has no field {shown}. It has: {', '.join(sorted(known))}."
        )
    if not all(isinstance(value, str) for value in fields.values()):
        raise CredentialUnfitError("Every field of a credential is a text. Put numbers in quotes.")
    kept = {name: str(value) for name, value in fields.items() if value != ""}
    missing = [each.name for each in kind.fields if each.is_required and not kept.get(each.name)]
    if missing:
        raise CredentialUnfitError(f"A credential of the type {kind.name} needs {', '.join(missing)}.")
    if "hosts" in kept:
        from chalicelib.signing.outbound_hosts import check_hosts

        check_hosts(kept["hosts"])
    for name in ("base_url", "authorize_url", "token_url"):
        if name in kept and name in known:
            _check_address(name, kept[name], is_oauth=name != "base_url")
    return kept


def opened_fields(kind: CredentialType, fields: Mapping[str, str]) -> dict[str, str]:
    """What a step is handed of a stored credential: where it may go is said, and what only renews it stays behind.

    `hosts` is the credential's own; without it the host of its `base_url`; without that the type's.
    """
    dropped = _RENEWING if kind.oauth2 is not None else frozenset[str]()
    opened = {name: value for name, value in fields.items() if name not in dropped}
    if kind.kind not in {"none", "secret"}:
        opened.setdefault("kind", kind.kind)
        if "hosts" not in opened and (hosts := _hosts_of(kind, opened)):
            opened["hosts"] = hosts
    return opened


@lru_cache(maxsize=1)
def public_fields() -> frozenset[str]:
    """The names of fields that are no secret in any type: what else stands in a credential is masked."""
    secret = {field.name for each in types() for field in each.fields if field.is_secret}
    return frozenset(field.name for each in types() for field in each.fields) - secret | {"kind"}


def secret_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Those of a credential's fields that may be shown nowhere."""
    public = public_fields()
    return {name: value for name, value in fields.items() if name not in public}


@lru_cache(maxsize=1)
def _by_name() -> Mapping[str, CredentialType]:
    return {each.name: each for each in types()}


def _hosts_of(kind: CredentialType, fields: Mapping[str, str]) -> str:
    base = fields.get("base_url")
    if not base:
        return ", ".join(kind.hosts)
    from chalicelib.signing.canonical import split_url

    return split_url(base)[0].rpartition("@")[2].lower()


def _check_address(name: str, url: str, *, is_oauth: bool) -> None:
    """Raise CredentialUnfitError for what is no whole address; tokens are asked for over TLS, or from this machine."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", None
    if parts is None or parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc or parts.fragment:
        raise CredentialUnfitError(f"The field {name} is a whole address, such as https://example.com/path.")
    if is_oauth and parts.scheme == "http" and host not in {"127.0.0.1", "::1", "localhost"}:
        raise CredentialUnfitError(f"The field {name} must begin with https:// (RFC 6749, section 3.1.2.1 and 3.2).")


_RENEWING: Final = frozenset(
    {
        *("client_id", "client_secret", "client_auth", "refresh_token", "expires_at", "scope", "authorize_url"),
        *("token_url", "issuer", "audience", "subject", "private_key", "key_id", "key", "previous"),
    }
)
_TELLING: Final = (
    ("aws", {"access_key_id", "secret_access_key"}),
    ("basic", {"username", "password"}),
    ("header", {"name", "value"}),
    ("bearer", {"token"}),
    ("secret", {"secret"}),
    ("topic", {"topic"}),
)

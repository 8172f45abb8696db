"""Addresses: the base URL and its braces, the path, the query. Whatever a value says, it stays in its place."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, cast
from urllib.parse import quote, urlsplit

from chalicelib.errors import ParameterError
from chalicelib.kit.values import Json

_BRACES = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_HOST_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_HOST = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.?")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SCHEMES: Final = frozenset({"http", "https"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ONLY_HTTP: Final = "only http and https addresses can be called"
_SAFE: Final = "/:?[]@!$&'()*+,;=%~-._"
"""What may stand in a path or query as it is (RFC 3986, appendix A), and `%` of what is encoded already."""


def scalar_text(value: Json, place: str) -> str:
    """A value as it stands in an address or a form: text as is, numbers and booleans as JSON writes them."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case float():
            return repr(value)
        case None:
            return ""
        case _:
            raise ParameterError(f"{place}: a list or an object cannot stand there; say which value of it is meant")


def utf8(text: str, name: str) -> bytes:
    """A parameter's text as UTF-8; ParameterError for half a character (a lone surrogate), which UTF-8 has not."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ParameterError(f"with.{name}: holds half a character (a lone surrogate)") from error


def percent_encoded(value: Json, place: str, safe: str = "") -> str:
    """A value percent-encoded (RFC 3986), except for letters, digits, `-._~` and what is safe."""
    try:
        return quote(scalar_text(value, place), safe=safe)
    except UnicodeEncodeError as error:
        raise ParameterError(
            f"{place}: holds half a character (a lone surrogate), which no address can carry"
        ) from error


def path_part(value: Json, name: str) -> str:
    """A value as one part of a path: it stays one part, and never a step upwards."""
    text = percent_encoded(value, f"with.{name}")
    if text in {"", ".", ".."}:
        raise ParameterError(f"with.{name}: is empty or only dots, which would change the address")
    return text


def query_text(query: Mapping[str, Json], place: str = "with.query") -> str:
    """The query, percent-encoded, in the order given: None is left out, a list repeats its name."""
    pairs: list[str] = []
    for name, value in query.items():
        values = cast("Iterable[Json]", value) if isinstance(value, list | tuple) else (value,)
        for one in values:
            if one is not None:
                where = f"{place}.{name[:60]}"
                pairs.append(f"{percent_encoded(name, place)}={percent_encoded(one, where)}")
    return "&".join(pairs)


def filled(base_url: str, values: Mapping[str, Json]) -> str:
    """A base URL with its braces filled; a value must be one label of a host name, so it cannot lead elsewhere."""
    if "{" not in base_url:
        return base_url

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        value = values.get(name)
        if value is None:
            raise ParameterError(f"with.{name}: is needed for the address")
        if not isinstance(value, str) or not _HOST_PART.fullmatch(value):
            raise ParameterError(f"with.{name}: goes into the address and may hold only letters, digits and dashes")
        return value

    return _BRACES.sub(fill, base_url)


def is_absolute(path: str) -> bool:
    """Whether a request's path is an address of its own."""
    return _ABSOLUTE.match(path.lstrip(" ")) is not None


def of_known_scheme(path: str) -> str:
    """A request's path as it is; ValueError for an address of its own that is neither http nor https."""
    if is_absolute(path) and path.lstrip(" ").partition(":")[0].lower() not in _SCHEMES:
        raise ValueError(_ONLY_HTTP)
    return path


def joined(base_url: str, path: str, query: str = "") -> str:
    """A whole, checked http or https address; ParameterError where it is none.

    A fragment is dropped, what must be percent-encoded is, and a query is added to one that is there.
    """
    path = path.strip(" ")
    if is_absolute(path):
        url = path
    elif base_url:
        base, mark, base_query = base_url.partition("?")
        url = f"{base.rstrip('/')}/{path.lstrip('/')}" if path else base
        url = f"{url}{'&' if '?' in url else '?'}{base_query}" if mark and base_query else url
    else:
        raise ParameterError(
            "with.url: is not a whole address; write https:// in front, or give the credential a base_url"
        )
    url = _checked(url)
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def origin(url: str) -> str:
    """Scheme, host and port of an address, for comparing; the port is always written."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    return f"{parts.scheme.lower()}://{(parts.hostname or '').lower()}:{port}"


def _checked(url: str) -> str:
    """An address that means the same to everyone who reads it."""
    if _CONTROL.search(url):
        raise ParameterError("with.url: holds a line break or another control character")
    url = url.partition("#")[0]
    if len(url) > 16_384:
        raise ParameterError("with.url: is longer than 16,384 characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ParameterError("with.url: is not an address; its host or port cannot be read") from error
    scheme = parts.scheme.lower()
    if scheme not in _SCHEMES:
        raise ParameterError(f"with.url: {_ONLY_HTTP}")
    if "@" in parts.netloc:
        raise ParameterError("with.url: has a user name or password in it; use a credential instead")
    if "\\" in parts.netloc or not host:
        raise ParameterError("with.url: has no host")
    try:
        path = quote(parts.path or "/", safe=_SAFE.replace("?", ""))
        query = f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    except UnicodeEncodeError as error:
        raise ParameterError("with.url: holds half a character (a lone surrogate)") from error
    return f"{scheme}://{_host_text(host)}{f':{port}' if port is not None else ''}{_stray(path)}{_stray(query)}"


def _stray(text: str) -> str:
    """Text in which every `%` begins an escape: one that begins none is escaped itself."""
    return re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text)


def _host_text(host: str) -> str:
    """A host as it is looked up: names in ASCII (IDNA), IPv6 addresses in brackets."""
    if ":" in host:
        if not re.fullmatch(r"[0-9A-Fa-f:.]+", host):
            raise ParameterError("with.url: its IPv6 address cannot be read")
        return f"[{host.lower()}]"
    if not host.isascii():
        import idna  # imported late: most hosts are ASCII

        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError as error:
            raise ParameterError("with.url: its host is not a name that can be looked up") from error
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise ParameterError("with.url: its host is not a name that can be looked up")
    return host.lower()

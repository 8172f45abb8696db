"""Keeping secrets out of everything that is stored, shown or logged."""

from collections.abc import Iterable, Iterator, Mapping

from chalicelib.flow.values import Json
from chalicelib.kit.values import Failed, Failure

MASK = "***"

SHORTEST = 4
"""A secret of fewer characters is not looked for in values: masking every `a` would destroy them."""

SHORTEST_INNER = 6
"""The same for the middle of a Base64 text."""

SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-amz-security-token"}
)
"""Header names whose value is never stored, wherever they occur as a key."""


PUBLIC_FIELDS = frozenset({"kind", "hosts", "base_url", "name", "username", "region", "service", "access_key_id"})
"""Fields of a credential that are no secret."""


class Secrets:
    """The secrets opened for one execution in this invocation; whatever leaves goes through `mask`."""

    __slots__ = ("_longest_first", "_values")

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._longest_first: tuple[str, ...] = ()

    def add_credential(self, fields: Mapping[str, str]) -> None:
        """Remember an opened credential: its secret fields, and what `basic` makes of two of them."""
        self.add(value for key, value in fields.items() if key not in PUBLIC_FIELDS)
        if "username" in fields and "password" in fields:
            self.add([f"{fields['username']}:{fields['password']}"])

    def add(self, values: Iterable[str]) -> None:
        """Remember opened secrets, and the forms in which services echo them."""
        found = {form for value in values if len(value) >= SHORTEST for form in _forms(value)}
        if not found <= self._values:
            self._values |= found
            self._longest_first = tuple(sorted(self._values, key=len, reverse=True))

    def mask_text(self, text: str) -> str:
        """The text with every known secret replaced, longest first."""
        for secret in self._longest_first:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def mask(self, value: Json) -> Json:
        """The value with every known secret replaced, keys included; the value itself where there is none."""
        if not self._values:
            return value
        return self._mask(value)

    def _mask(self, value: Json) -> Json:
        match value:
            case str():
                return self.mask_text(value)
            case list():
                return [self._mask(item) for item in value]
            case dict():
                return {self.mask_text(key): self._mask(item) for key, item in value.items()}
            case _:
                return value


def _forms(secret: str) -> Iterator[str]:
    """A secret as it is, and as JSON, URLs, HTML, hexadecimal and Base64 write it (wherever in a Base64 text)."""
    from base64 import b64encode  # imported late: most flows open no credential
    from html import escape
    from json import dumps
    from urllib.parse import quote, quote_plus

    raw = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield dumps(secret)[1:-1]
    yield dumps(secret, ensure_ascii=False)[1:-1]
    yield dumps(secret)[1:-1].replace("/", "\\/")
    for quoted in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield quoted
        yield _lower_escapes(quoted)
    yield escape(secret)
    yield raw.hex()
    yield raw.hex().upper()
    # Base64 turns three bytes into four letters: inside a longer text a secret shows in one of three ways, less the
    # letters at both ends that it shares with its neighbours.
    for before in range(3):
        encoded = b64encode(bytes(before) + raw).decode()
        inner = encoded[(0, 2, 3)[before] : len(encoded) - (0, 3, 2)[(before + len(raw)) % 3]]
        if len(inner) >= SHORTEST_INNER:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")


def _lower_escapes(text: str) -> str:
    """Percent escapes in lower case."""
    pieces = text.split("%")
    return pieces[0] + "".join(f"%{piece[:2].lower()}{piece[2:]}" for piece in pieces[1:])


def mask_headers(value: Json | Mapping[str, Json]) -> Json:
    """A step's input as it may be shown: what stands under a secret header's name is masked, at any depth."""
    if isinstance(value, Mapping):
        shown: dict[str, Json] = {}
        for key, item in value.items():
            if isinstance(item, dict | list):
                shown[key] = mask_headers(item) if key.lower() not in SECRET_HEADERS else MASK
            else:
                shown[key] = item if item is None or key.lower() not in SECRET_HEADERS else MASK
        return shown
    if isinstance(value, list):
        return [mask_headers(item) if isinstance(item, dict | list) else item for item in value]
    return value


def masked(failure: Failure, secrets: Secrets) -> Failed:
    """The failure with every secret masked."""
    return Failed(
        Failure(
            failure.code,
            secrets.mask_text(failure.message),
            failure.status,
            failure.is_retriable,
            failure.retry_after_seconds,
            failure.sent,
            secrets.mask(failure.detail),
            secrets.mask_text(failure.url) if failure.url else failure.url,
        )
    )

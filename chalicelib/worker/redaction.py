"""Keeping secrets out of everything that is stored, shown or logged."""

from collections.abc import Iterable, Mapping

from chalicelib.flow.values import Json

MASK = "***"

SHORTEST = 4
"""A secret of fewer characters is not looked for in values: masking every `a` would destroy them."""

SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-amz-security-token"}
)
"""Header names whose value is never stored, wherever they occur as a key."""


class Secrets:
    """The secrets opened for one execution in this invocation; whatever leaves goes through `mask`."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: set[str] = set()

    def add(self, values: Iterable[str]) -> None:
        """Remember opened secrets, and the forms in which services echo them."""
        from base64 import b64encode  # imported late: most flows open no credential
        from json import dumps
        from urllib.parse import quote

        for value in values:
            if len(value) < SHORTEST:
                continue
            quoted = dumps(value)[1:-1]
            self._values |= {value, quoted, quote(value, safe=""), b64encode(value.encode()).decode()}

    def mask_text(self, text: str) -> str:
        """The text with every known secret replaced, longest first."""
        for secret in sorted(self._values, key=len, reverse=True):
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

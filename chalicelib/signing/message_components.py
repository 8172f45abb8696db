"""The signature base of RFC 9421 section 2.5: what a message signature is computed over."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from chalicelib.signing.inbound_content import Delivery
from chalicelib.signing.inbound_headers import to_bytes
from chalicelib.signing.structured_fields import InnerList, Item, read_dictionary, written

_PORTS: Final = {"https": ":443", "http": ":80"}
_MOST_PARAMETERS: Final = 1000


class UnknownComponentError(ValueError):
    """A component that a delivery does not have, or that is not understood; the message names it."""


class Message:
    """A delivery, asked for its components."""

    def __init__(self, delivery: Delivery, url: str) -> None:
        """`url` is the hook's address as the flow says it; else the deployment's, else what the Host header says."""
        self._delivery = delivery
        known = url or delivery.url or f"https://{delivery.headers.get('host', '')}{delivery.path}"
        self._parts = urlsplit(known)

    def value(self, item: Item) -> str:
        """A component's value; raises UnknownComponentError."""
        name, parameters = name_of(item), dict(item.parameters)
        if name == "@query-param":
            return self._query_parameter(parameters.pop("name", None), is_alone=not parameters)
        if name.startswith("@"):
            if parameters or name not in _DERIVED:
                raise UnknownComponentError(name)
            return _DERIVED[name](self)
        field = self._delivery.headers.get(name)
        if field is None or not (set(parameters) <= {"key"}):
            raise UnknownComponentError(name)
        return self._member(field, parameters["key"]) if parameters else field.strip(" \t")

    def _member(self, field: str, key: object) -> str:
        try:
            return written(read_dictionary(field)[str(key)])
        except (KeyError, ValueError):
            raise UnknownComponentError(f"the member {str(key)[:40]}") from None

    def _query_parameter(self, name: object, *, is_alone: bool) -> str:
        try:
            pairs = parse_qsl(self._delivery.query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            pairs = []
        values = [value for each, value in pairs if _encoded(each) == name]
        if len(values) != 1 or not is_alone:
            raise UnknownComponentError("@query-param")
        return _encoded(values[0])

    @property
    def scheme(self) -> str:
        """The URL's, in lower case."""
        return self._parts.scheme.lower()

    @property
    def method(self) -> str:
        """As it was sent: methods are case-sensitive."""
        return self._delivery.method

    @property
    def authority(self) -> str:
        """Host and port in lower case, without the port that goes without saying."""
        return self._parts.netloc.lower().removesuffix(_PORTS.get(self.scheme, ":443"))

    @property
    def path(self) -> str:
        """As it is written; never empty."""
        return self._parts.path or "/"

    @property
    def query(self) -> str:
        """With its question mark, which stands there even where there is no query."""
        return f"?{self._delivery.query}"

    @property
    def request_target(self) -> str:
        """Path and query, in the origin form that reaches a hook."""
        return self.path + (self.query if self._delivery.query else "")

    @property
    def target_uri(self) -> str:
        """The whole address."""
        return f"{self.scheme}://{self._parts.netloc}{self.request_target}"


_DERIVED: Final[Mapping[str, Callable[[Message], str]]] = {
    "@method": lambda message: message.method,
    "@target-uri": lambda message: message.target_uri,
    "@authority": lambda message: message.authority,
    "@scheme": lambda message: message.scheme,
    "@request-target": lambda message: message.request_target,
    "@path": lambda message: message.path,
    "@query": lambda message: message.query,
}


def name_of(item: Item) -> str:
    """A component's name; empty where the item is none."""
    return item.value if isinstance(item.value, str) else ""


def has_component(covered: InnerList, name: str) -> bool:
    """Whether a component of this name is among those covered, with whatever parameters."""
    return any(name_of(item) == name for item in covered.items)


def signature_base(covered: InnerList, message: Message) -> bytes | str:
    """The bytes that were signed; a sentence where a component is not there, stands twice, or is not understood."""
    lines: list[str] = []
    seen: set[str] = set()
    for item in covered.items:
        identifier = written(item)
        if identifier in seen or name_of(item) in {"", "@signature-params"}:
            return "The signature covers something twice, or what is no component."
        seen.add(identifier)
        try:
            value = message.value(item)
        except UnknownComponentError as unknown:
            return f"The signature covers {str(unknown)[:60]}, which is not there or is not understood here."
        if not value.isascii() or "\n" in value or "\r" in value:
            return f"The value of {name_of(item)[:60]} cannot be signed."
        lines.append(f"{identifier}: {value}")
    lines.append(f'"@signature-params": {written(covered)}')
    return to_bytes("\n".join(lines))


def _encoded(text: str) -> str:
    """As section 2.2.8 wants it: escaped like a form's fields, and a space as %20."""
    return quote(text, safe="*").replace("~", "%7E")

"""Builds plain data from the events of the XML parser."""

from collections.abc import Mapping
from xml.parsers import expat

from chalicelib.flow.values import Json

DEEPEST = 200


class RefusedError(Exception):
    """What the document holds that is not taken."""


class Builder:
    """Reads one document. Uses expat alone: no entity is ever expanded, no address ever followed."""

    __slots__ = ("_fields", "_force_list", "_keep_attributes", "_keep_prefixes", "_texts", "_trim")

    def __init__(self, *, force_list: frozenset[str], keep_attributes: bool, keep_prefixes: bool, trim: bool) -> None:
        self._force_list = force_list
        self._keep_attributes = keep_attributes
        self._keep_prefixes = keep_prefixes
        self._trim = trim
        # One entry per element that is open, and the document's own below them all.
        self._fields: list[dict[str, Json]] = [{}]
        self._texts: list[list[str]] = [[]]

    def read(self, text: str) -> Json:
        """The document as data; ExpatError where it is not XML, RefusedError where it holds what is not taken."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = _refuse_entity
        parser.SkippedEntityHandler = _refuse_entity
        parser.ExternalEntityRefHandler = _refuse_entity
        # Defaults in a document type would copy one long value into every element.
        parser.specified_attributes = True
        parser.Parse(text.removeprefix("\ufeff"), True)  # noqa: FBT003  (pyexpat takes no keywords)
        return self._fields[0]

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if len(self._fields) > DEEPEST:
            raise RefusedError(f"it is nested deeper than {DEEPEST} levels")
        fields: dict[str, Json] = {}
        if self._keep_attributes:
            for key, value in attributes.items():
                is_declaration = key == "xmlns" or key.startswith("xmlns:")
                if self._keep_prefixes or not is_declaration:
                    fields[f"@{self._name(key)}"] = value
        self._fields.append(fields)
        self._texts.append([])

    def _text(self, text: str) -> None:
        self._texts[-1].append(text)

    def _end(self, name: str) -> None:
        fields = self._fields.pop()
        text = "".join(self._texts.pop())
        if self._trim or (fields and not text.strip()):
            text = text.strip()
        if fields and text:
            fields["#text"] = text
        value: Json = fields or text
        parent, key = self._fields[-1], self._name(name)
        if key in parent:
            siblings = parent[key]
            if isinstance(siblings, list):
                siblings.append(value)
            else:
                parent[key] = [siblings, value]
        else:
            parent[key] = [value] if key in self._force_list else value

    def _name(self, name: str) -> str:
        return name if self._keep_prefixes else name.rpartition(":")[2]


def _refuse_entity(*_: object) -> int:
    raise RefusedError("it declares or uses an entity of its own, which is refused for safety")

"""A flow file as text: YAML (a strict subset) and JSON in, canonical JSON and readable YAML out."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.errors import NotBuiltYetError
from chalicelib.flow.values import Json, Place, Pointer


@dataclass(frozen=True, slots=True)
class Document:
    """A file as read: its data, and where each key and each value stands in its text."""

    name: str
    data: dict[str, Json]
    keys: Mapping[Pointer, Place]
    values: Mapping[Pointer, Place]
    text: str

    def place(self, pointer: Pointer, offset: int = 0) -> Place:
        """Say where a value (or its nearest parent) stands; with an offset, where that character of a text stands."""
        raise NotBuiltYetError


def read(text: str | bytes, name: str) -> Document:
    """Read a file by its extension; FlowTextError carries every problem found."""
    raise NotBuiltYetError


def read_yaml(text: str | bytes, name: str) -> Document:
    """Read the strict subset of YAML that is losslessly JSON; FlowTextError carries every problem found."""
    raise NotBuiltYetError


def read_json(text: str | bytes, name: str) -> Document:
    """Read JSON; FlowTextError carries every problem found."""
    raise NotBuiltYetError


def to_json(data: Json) -> str:
    """Write the canonical text: the author's key order, no spaces, exact integers; NaN and lone surrogates are refused."""
    raise NotBuiltYetError


def to_yaml(data: Json) -> str:
    """Write readable YAML that `read_yaml` reads back as the same data."""
    raise NotBuiltYetError

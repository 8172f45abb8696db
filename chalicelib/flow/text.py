"""A flow file as text: YAML (a strict subset) and JSON in, canonical JSON and readable YAML out.

What goes wrong is a FlowTextError whose problems name file, line, column, what and what to do. ruamel.yaml is imported
when the first YAML is read; JSON needs nothing but the standard library.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.errors import FlowTextError, Problem
from chalicelib.flow.canonical_json import to_json
from chalicelib.flow.text_json import read_json_text
from chalicelib.flow.text_places import place_within
from chalicelib.flow.text_source import MOST_PROBLEMS, open_source
from chalicelib.flow.text_writing import write_yaml
from chalicelib.flow.values import UNKNOWN_PLACE, Json, Place, Pointer

__all__ = ["Document", "read", "read_draft", "read_json", "read_yaml", "to_json", "to_yaml"]


@dataclass(frozen=True, slots=True)
class Document:
    """A file as read: its data, and where each key and each value stands in its text."""

    name: str
    data: dict[str, Json]
    keys: Mapping[Pointer, Place]
    values: Mapping[Pointer, Place]
    text: str
    problems: tuple[Problem, ...] = ()
    """What is wrong with the text itself, of a draft; the check says these too."""
    damaged: frozenset[Pointer] = frozenset()
    """The values of a draft that are not as they were meant."""

    def place(self, pointer: Pointer, offset: int = 0) -> Place:
        """Say where a value stands, or the nearest parent that is in the file.

        With an offset into a text, where that character of it stands: exact for plain and quoted text and for literal
        blocks, as near as lines allow in folded ones.
        """
        found = self.values.get(pointer)
        if found is not None:
            return place_within(self.text, found, offset) if offset > 0 else found
        for length in range(len(pointer) - 1, -1, -1):
            parent = self.keys.get(pointer[:length]) or self.values.get(pointer[:length])
            if parent is not None:
                return parent
        return UNKNOWN_PLACE


def read(text: str | bytes, name: str) -> Document:
    """Read a file by the extension of its name: `.json`, else `.yaml` or `.yml`; FlowTextError for any other."""
    # pathlib would say the same, and is slow to import.
    if name.lower().endswith(".json"):
        return read_json(text, name)
    if name.lower().endswith((".yaml", ".yml")):
        return read_yaml(text, name)
    raise FlowTextError(f"{name} is no flow file: those end in .yaml, .yml or .json. Rename it.")


def read_yaml(text: str | bytes, name: str) -> Document:
    """Read the strict subset of YAML that is losslessly JSON; FlowTextError carries every problem found."""
    return _read_yaml(text, name, is_draft=False)


def read_draft(text: str | bytes, name: str) -> Document:
    """Read a file for the check, so that it says everything at once: mistakes in the text, and those in what it means.

    As `read`, but a YAML text with problems is still a document, which carries them, as long as they leave the rest
    to be understood; where they do not, FlowTextError carries them.
    """
    if name.lower().endswith((".yaml", ".yml")):
        return _read_yaml(text, name, is_draft=True)
    return read(text, name)


def _read_yaml(text: str | bytes, name: str, *, is_draft: bool) -> Document:
    # Imported here: ruamel.yaml is slow to import, and Lambda reads JSON.
    from chalicelib.flow.text_yaml import read_yaml_source

    source = open_source(text, name)
    reading = read_yaml_source(source)
    if not (is_draft and reading.is_whole and isinstance(reading.data, dict)):
        source.end_reading()
    data = reading.data if isinstance(reading.data, dict) else {}
    problems = tuple(sorted(source.problems, key=lambda one: (one.line, one.column))[:MOST_PROBLEMS])
    return Document(name, data, reading.keys, reading.values, source.text, problems, reading.damaged)


def read_json(text: str | bytes, name: str) -> Document:
    """Read JSON strictly (no double keys, NaN, half characters, comments); FlowTextError carries every problem found.

    The places are found when the first one is asked for.
    """
    source, data, keys, values = read_json_text(text, name)
    return Document(name, data if isinstance(data, dict) else {}, keys, values, source.text)


def to_yaml(data: Json) -> str:
    """Write readable YAML that `read_yaml` reads back as the same data; FlowTextError for what JSON cannot say."""
    to_json(data)
    return write_yaml(data)

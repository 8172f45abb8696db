"""The folder of flow files: which of its files are flows, and what each says."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from chalicelib.errors import UsageError
from chalicelib.flow.text import Document, read, read_draft

SUFFIXES = (".yaml", ".yml", ".json")
BESIDE = (".test", ".layout", ".input")
"""What stands before the suffix of a file that belongs to a flow and is none: `order.test.yaml`."""


def is_flow_file(path: Path) -> bool:
    """Whether a file's name is a flow's: not hidden, not an editor's copy, not a test, a layout or an input."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.stem.endswith(BESIDE)


def flow_files(folder: Path) -> list[Path]:
    """Every flow file in a folder and the folders in it, sorted; UsageError where there is no such folder."""
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {folder}. Make it and put a flow file in it, or name another with --flows."
        )
    found = [
        path
        for path in folder.rglob("*")
        if is_flow_file(path) and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    return sorted(path for path in found if path.is_file())


def flow_files_of(places: Iterable[Path], folder: Path) -> list[Path]:
    """The files that somebody named, folders opened; those of `folder` where nothing was named."""
    files: list[Path] = []
    for place in places or [folder]:
        files += flow_files(place) if place.is_dir() or not places else [place]
    return list(dict.fromkeys(files))


def read_file(path: Path) -> bytes:
    """A file's bytes; UsageError that says why not."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or 'it is no file'}.") from error


def read_flow(path: Path, *, is_draft: bool = False) -> Document:
    """A flow file; FlowTextError with every place that cannot be read, UsageError where the file cannot be opened.

    A draft is for the check, which says what is wrong with its text too.
    """
    return (read_draft if is_draft else read)(read_file(path), str(path))


def read_to_publish(path: Path) -> Document:
    """A flow file whose text has nothing wrong with it; where it has, FlowTextError says what it means wrongly too."""
    document = read_flow(path, is_draft=True)
    if document.problems:
        from chalicelib.api.publishing import checked  # imported late: only mistakes need it here

        checked(document, name_of(document, path))
    return document


def name_of(document: Document, path: Path) -> str:
    """The flow's name; the file's where the file names none, so that the check can say so."""
    name = document.data.get("flow")
    return name if isinstance(name, str) else path.stem


def find_flow(name: str, folder: Path) -> Path:
    """The file of a flow in a folder, by the flow's name; UsageError with those there are.

    A file called like the flow is looked at first, so that the others need not be read.
    """
    files = flow_files(folder)
    names: list[str] = []
    for path in sorted(files, key=lambda each: each.stem != name):
        found = _name_in(path)
        if found == name:
            return path
        names.append(found)
    known = ", ".join(sorted(each for each in names if each)) or "none"
    raise UsageError(f"No file in {folder} holds a flow {name}. There are: {known}.")


def _name_in(path: Path) -> str:
    """The name a file gives its flow, without reading all of YAML; empty where it cannot be found so."""
    text = read_file(path).decode("utf-8", "replace")
    if path.suffix.lower() == ".json":
        try:
            data: Any = json.loads(text)
        except (ValueError, RecursionError):
            return ""
        return str(cast("dict[str, Any]", data).get("flow", "")) if isinstance(data, dict) else ""
    for line in text.splitlines():
        if line.startswith("flow:"):
            return line.removeprefix("flow:").partition(" #")[0].strip().strip("\"'")
    return ""

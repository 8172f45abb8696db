"""Test files on disk: which files are tests, which flow each is beside, and what it says."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from chalicelib.api.publishing import checked
from chalicelib.catalogue import entries
from chalicelib.errors import UsageError
from chalicelib.flow.planning import make_plan
from chalicelib.flow.text import Document, read_draft
from chalicelib.rehearsal.reading import Flow, read_suite
from chalicelib.rehearsal.suite import Suite

SUFFIXES: Final = (".yaml", ".yml", ".json")
TEST: Final = ".test"
"""What stands before the suffix of a test file: `order.test.yaml` beside `order.yaml`."""


def is_test_file(path: Path) -> bool:
    """Whether a file's name is that of a test of a flow."""
    return path.suffix.lower() in SUFFIXES and path.stem.endswith(TEST) and not path.name.startswith(".")


def flow_beside(path: Path) -> Path | None:
    """The flow file that a test file is beside; None where there is none."""
    name = path.stem.removesuffix(TEST)
    return next((found for suffix in SUFFIXES if (found := path.with_name(name + suffix)).is_file()), None)


def test_beside(path: Path) -> Path | None:
    """The test file beside a flow file; None where there is none."""
    names = (path.with_name(f"{path.stem}{TEST}{suffix}") for suffix in SUFFIXES)
    return next((found for found in names if found.is_file()), None)


def read_tests(path: Path) -> Suite:
    """A test file and the flow beside it, both checked.

    Raises FlowTextError and FlowCheckError with every problem of either, UsageError where a file is not there.
    """
    beside = flow_beside(path)
    if beside is None:
        name = path.stem.removesuffix(TEST)
        raise UsageError(f"There is no flow beside {path}. Put it next to its flow: {name}.yaml and {path.name}.")
    flow = read_flow(beside)
    return read_suite(path, _document(path), flow, entries())


def read_flow(path: Path) -> Flow:
    """A flow file, checked; raises as `read_tests` does."""
    document = _document(path)
    name = document.data.get("flow")
    checked(document, name if isinstance(name, str) else path.stem)
    return Flow(document, make_plan(document.data, entries()))


def in_folder(folder: Path) -> list[Path]:
    """Every test file in a folder and the folders in it, sorted; hidden ones left out."""
    found = (path for path in folder.rglob("*") if is_test_file(path) and path.is_file())
    return sorted(path for path in found if not _is_hidden(path.relative_to(folder).parts))


def _is_hidden(parts: Iterable[str]) -> bool:
    return any(part.startswith(".") for part in parts)


def _document(path: Path) -> Document:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or 'it is no file'}.") from error
    return read_draft(content, str(path))

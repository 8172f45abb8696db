"""Every parser that is fuzzed, and those that are found by their names."""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from chalicelib.errors import PenstockError
from tools.fuzz import of_addresses, of_deliveries, of_flows, of_inside, of_nodes, of_requests, of_settings, of_times
from tools.fuzz.corpus import ROOT, as_bytes
from tools.fuzz.parser import Parser, Take, text_of

_NAMED_LIKE_PARSERS: Final = ("read_", "parse_", "from_")
_READS: Final = {"str": text_of, "bytes": bytes}
_NOT_OF_STRANGERS: Final = frozenset(("cli", "local", "worker", "rehearsal"))
"""Rooms whose functions read files, records or streams, and are not called with a text."""
_TRUSTED: Final = frozenset(("adapters.expression_frames.from_question", "sandbox.manifest.read_stored"))
"""What only our own process writes: to its own helper, over a pipe; and what it has checked before it stored it."""


@cache
def parsers() -> tuple[Parser, ...]:
    """Those with a row of their own, and then those found by their names that no row reaches."""
    tables = (of_flows, of_times, of_deliveries, of_requests, of_addresses, of_nodes, of_inside, of_settings)
    written = [row for table in tables for row in table.parsers()]
    reached = " ".join(each.calls for each in written)
    names = {each.name for each in written}
    found = (each for each in _found() if each.name not in names and each.calls not in reached)
    return (*written, *found)


def named(name: str) -> Parser:
    """One parser; KeyError where there is none of this name."""
    return {each.name: each for each in parsers()}[name]


def _found() -> Iterator[Parser]:
    """Public functions `read_x`, `parse_x` and `from_x` whose one parameter is a text or bytes, wherever they stand.

    So a parser that is added is fuzzed before anybody thinks of it; it may raise what is ours, and ValueError where its
    docstring says so.
    """
    for path in sorted((ROOT / "chalicelib").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[1] in _NOT_OF_STRANGERS or parts[-1] == "__init__":
            continue
        for node in ast.parse(path.read_text("utf-8")).body:
            kind = _reads(node)
            if isinstance(node, ast.FunctionDef) and kind and f"{'.'.join(parts[1:])}.{node.name}" not in _TRUSTED:
                declared = (PenstockError, *((ValueError,) if "ValueError" in (ast.get_docstring(node) or "") else ()))
                module, name = ".".join(parts), node.name
                yield Parser(
                    f"{'_'.join(parts[1:])}.{name}",
                    f"{'.'.join(parts[1:])}.{name}",
                    _anything,
                    _opener(module, name, kind),
                    declared,
                    200,
                )


def _reads(node: ast.stmt) -> str:
    """`str` or `bytes` where it is such a function, else nothing."""
    if not isinstance(node, ast.FunctionDef) or not node.name.startswith(_NAMED_LIKE_PARSERS):
        return ""
    given = node.args
    needed = [*given.posonlyargs, *given.args][: len(given.posonlyargs) + len(given.args) - len(given.defaults)]
    if len(needed) != 1 or any(default is None for default in given.kw_defaults):
        return ""
    annotation = ast.unparse(needed[0].annotation) if needed[0].annotation else ""
    return annotation if annotation in _READS else ""


def _anything() -> list[bytes]:
    """Examples where nobody has named any."""
    return as_bytes(
        '{"a": [1, "x", null]}',
        "a=1&b=2",
        "name: [x]\n",
        "2026-11-20T07:00:00Z",
        "https://a.example/b?c=d",
        "[a]\nb = 1\n",
        "a.b[0]",
    )


def _opener(module: str, name: str, kind: str) -> Any:
    def opened() -> Take:
        function: Any = getattr(import_module(module), name)
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"{module}.{name} is async: give it a row of its own")
        convert = _READS[kind]
        return lambda content: function(convert(content))

    return opened


def unreached() -> list[str]:
    """Public functions that are called like parsers and take more than a text: none of them is found by its name."""
    reached = " ".join(each.calls for each in parsers())
    found: list[str] = []
    for path in sorted((ROOT / "chalicelib").rglob("*.py")):
        parts = Path(path.relative_to(ROOT)).with_suffix("").parts
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(_NAMED_LIKE_PARSERS):
                place = f"{'.'.join(parts[1:])}.{node.name}"
                if place not in reached and node.name not in reached:
                    found.append(place)
    return found

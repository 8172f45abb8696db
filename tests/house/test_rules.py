"""The rules of the building, as programs."""

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
CODE = sorted(path for folder in ("chalicelib", "infra", "tools") for path in (ROOT / folder).rglob("*.py"))
CODE.append(ROOT / "app.py")
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imported(path: Path) -> set[str]:
    """Every module a file imports, wherever the import stands, by `import_module` with a literal too."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module} | {f"{module}.{alias.name}" for alias in names}
            case ast.Call(func=ast.Name(id="import_module" | "__import__"), args=[ast.Constant(value=str(name)), *_]):
                found.add(name)
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]):
                found.add(name)
            case _:
                pass
    return found


def is_under(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_no_file_is_over_400_lines():
    long = {relative(path): n for path in CODE if (n := len(path.read_text(encoding="utf-8").splitlines())) > 400}
    assert long == {}


def test_the_median_file_is_short():
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in CODE)
    assert lengths[len(lengths) // 2] <= 160


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "manager", "core", "base", "misc"])
def test_no_module_has_a_name_that_says_nothing(word):
    assert [relative(path) for path in CODE if word in re.split(r"[_/.]", relative(path))] == []


ONLY_THERE = {
    "httpx": {"chalicelib/cli"},
    "aiohttp": {"chalicelib/adapters/http", "tools/bench", "tools/load", "tools/kill", "tools/soak"},
    "h11": {"chalicelib/adapters/http"},
    "chalice": {"app.py", "infra", "tools/bench"},
    "boto3": {"infra", "chalicelib/cli", "tools"},
    "botocore": {"infra", "chalicelib/cli", "tools"},
    "jsonatapy": {"chalicelib/flow/expressions.py"},
    "sqlite3": {"chalicelib/adapters/sqlite", "tools/bench", "tools/soak"},
    "starlette": {"chalicelib/local", "tools"},
    "uvicorn": {"chalicelib/local", "chalicelib/cli", "tools"},
    "typer": {"chalicelib/cli"},
    "rich": {"chalicelib/cli", "tools"},
    "ruamel": {"chalicelib/flow", "chalicelib/nodes/yaml"},
    "socket": {"chalicelib/adapters/http", "chalicelib/local", "chalicelib/cli", "tools"},
    "urllib.request": {"tools"},
    "http.client": set(),
    "requests": set(),
}
"""Each library, and the only places that may know it."""


@pytest.mark.parametrize("library", ONLY_THERE)
def test_a_library_is_known_only_where_it_belongs(library):
    allowed = tuple(ONLY_THERE[library])
    knowing = [relative(path) for path in CODE if any(is_under(name, {library}) for name in imported(path))]
    assert [place for place in knowing if not place.startswith(allowed or ("nowhere",))] == []


def test_tests_pass_fakes_in_instead_of_patching():
    patching = re.compile(r"unittest\.mock|import mock\b|monkeypatch\.setattr|mocker\b")
    here = Path(__file__)
    assert [relative(p) for p in TESTS if p != here and patching.search(p.read_text(encoding="utf-8"))] == []


def test_no_import_is_circular():
    graph = grimp.build_graph("chalicelib", "infra", "tools", cache_dir=None)
    ours = {m for m in graph.modules if m.split(".")[0] in {"chalicelib", "infra", "tools"}}
    edges = {m: {n for n in graph.find_modules_directly_imported_by(m) if n in ours and n != m} for m in ours}
    assert list(cycles(edges)) == []


def cycles(edges):
    """One cycle for each module that reaches itself, found by peeling off what imports nothing that is left."""
    left = {module: set(targets) for module, targets in edges.items()}
    while True:
        free = {module for module, targets in left.items() if not targets & left.keys()}
        if not free:
            break
        for module in free:
            del left[module]
    # A package's __init__ is imported with every module below it; that is no choice of anybody's.
    stuck = {m for m, targets in left.items() if any(t in left and not m.startswith(f"{t}.") for t in targets)}
    yield from sorted(stuck)


def test_every_test_file_asserts_something():
    asserting = re.compile(r"\bassert\b|pytest\.raises|\bexpect")
    silent = [p for p in TESTS if p.name.startswith("test_") and not asserting.search(p.read_text(encoding="utf-8"))]
    assert [relative(path) for path in silent] == []


def test_no_note_to_self_is_left():
    notes = re.compile(r"#\s*(TODO|FIXME|XXX|HACK)\b|NotImplementedError")
    assert [relative(path) for path in CODE if notes.search(path.read_text(encoding="utf-8"))] == []


def test_every_room_is_explained():
    rooms = [path for path in CODE if path.name == "__init__.py"]
    assert [relative(path) for path in rooms if not ast.get_docstring(tree(path))] == []


def test_broad_excepts_say_why():
    """`except Exception` only where a process must survive: each has a comment, on its line or the next."""
    missing = []
    for path in CODE:
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if re.search(r"except (Exception|BaseException)\b", line):
                near = "\n".join(lines[max(0, number - 1) : number + 4])
                # What only cleans up and raises again hides nothing.
                if "#" not in near and not re.search(r"^\s+raise$", near, re.MULTILINE):
                    missing.append(f"{relative(path)}:{number + 1}")
    assert missing == []


def test_what_lambda_gets_is_what_the_project_declares():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[<>=~;\[ ]", line)[0].lower() for line in project["dependencies"]}
    packaged = {
        re.split(r"[<>=~;\[ ]", line)[0].lower()
        for line in (ROOT / "infra/requirements-lambda.txt").read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    }
    assert packaged <= declared
    assert {"jsonatapy", "pydantic", "cryptography", "aws-lambda-powertools"} <= packaged


def test_the_project_speaks_of_itself_alone():
    """No path of a machine and no registry host in what is tracked."""
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    machine = re.compile(r"/work/(main|shared)|\.\./shared|/root/\.|/tmp/[a-z]+_")
    found = []
    for name in files:
        path = ROOT / name
        if path.suffix in {".json", ".png", ".ico", ".wasm"} or name.startswith("tests/house/"):
            continue
        if path.is_file() and machine.search(path.read_text(encoding="utf-8", errors="replace")):
            found.append(name)
    assert found == []

"""What dataclasses compile, compiled before: the same classes, without the compiler, and never a wrong method."""

import json
import marshal
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from chalicelib.cloud.precompiled import FILE, key_of
from infra.precompile import PrecompileError, packaged_modules, refresh

ROOT = Path(__file__).parent.parent.parent

MODULE = """
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 3
    names: list = field(default_factory=list)


@dataclass(order=True)
class Open:
    a: str
"""


@pytest.fixture
def project(tmp_path):
    """A project with one module of dataclasses, our recorder, and what uses its file."""
    for path in ("chalicelib/cloud/precompiled.py", "infra/precompile.py", "infra/packaging.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text((ROOT / path).read_text())
    for folder in ("chalicelib", "chalicelib/cloud", "infra"):
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "chalicelib" / "points.py").write_text(MODULE)
    (tmp_path / "vendor").mkdir()
    return tmp_path


def run_there(project, program):
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(project)!r})\n" + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


COUNT = """
    import dataclasses, json, sys
    from chalicelib.cloud import precompiled
    used = precompiled.use(%r)
    import builtins
    compiled = []
    kept = builtins.exec
    def watched(code, *rest):
        if isinstance(code, str):
            compiled.append(code)
        return kept(code, *rest)
    builtins.exec = watched
    if not used:
        dataclasses.exec = watched
    from chalicelib.points import Point, Open, replace
    point = Point(1, names=["a"])
    try:
        point.x = 2
        frozen = False
    except dataclasses.FrozenInstanceError:
        frozen = True
    print(json.dumps({
        "used": used, "compiled": len(compiled), "repr": repr(point), "same": point == Point(1, 3, ["a"]),
        "replaced": repr(replace(point, y=9)), "frozen": frozen, "slots": Point.__slots__, "less": Open("a") < Open("b"),
        "fields": [each.name for each in dataclasses.fields(Point)],
    }))
"""


def test_nothing_is_compiled_and_everything_is_the_same(project):
    without = json.loads(run_there(project, COUNT % "/nonexistent"))
    assert refresh(project, project / "vendor") is True
    with_file = json.loads(run_there(project, COUNT % str(project)))
    assert (without.pop("used"), with_file.pop("used")) == (False, True)
    assert without.pop("compiled") > 0
    assert with_file.pop("compiled") == 0
    assert with_file == without


def test_a_file_that_is_old_costs_time_and_nothing_else(project):
    refresh(project, project / "vendor")
    module = project / "chalicelib" / "points.py"
    module.write_text(MODULE.replace("y: int = 3", "z: int = 4\n    y: int = 3"))
    found = json.loads(run_there(project, COUNT % str(project)))
    assert found["compiled"] > 0
    assert found["repr"] == "Point(x=1, z=4, y=3, names=['a'])"


@pytest.mark.parametrize("content", [b"", b"garbage", marshal.dumps([1])[:3]], ids=["empty", "garbage", "cut off"])
def test_a_file_that_is_broken_is_not_used(project, content):
    (project / "vendor" / FILE).write_bytes(content)
    found = json.loads(run_there(project, COUNT % str(project)))
    assert found["used"] is False
    assert found["repr"] == "Point(x=1, y=3, names=['a'])"


def test_it_lies_beside_the_code_on_lambda(project):
    refresh(project, project / "vendor")
    (project / "vendor" / FILE).rename(project / FILE)
    assert json.loads(run_there(project, COUNT % str(project)))["used"] is True


def test_it_is_written_only_when_something_has_changed(project):
    assert refresh(project, project / "vendor") is True
    assert refresh(project, project / "vendor") is False


def test_a_module_that_cannot_be_imported_ends_it(project):
    (project / "chalicelib" / "broken.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(PrecompileError, match="nothing_of_this_name"):
        refresh(project, project / "vendor")


def test_every_packaged_module_is_looked_at_and_no_other():
    names = packaged_modules(ROOT)
    assert {"chalicelib.errors", "chalicelib.worker.run", "chalicelib.adapters.http_light"} <= set(names)
    assert not [each for each in names if each.startswith(("chalicelib.cli", "chalicelib.local"))]


def test_a_key_is_of_the_whole_text():
    assert key_of("a") != key_of("b")
    assert len(key_of("a")) == 16

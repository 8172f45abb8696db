"""The lock of the functions' packages: it agrees with what we ask for, and nothing in it is open."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from infra.lock import LOCK, LockError, Pin, read_lock, write_lock
from infra.vendor import RANGES, TARGETS, target_of

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / LOCK).read_text("utf-8")
PINS = read_lock(TEXT)
A, B = "a" * 64, "b" * 64


def asked_for():
    """The ranges that the functions' packages have, by name."""
    lines = (ROOT / RANGES).read_text("utf-8").splitlines()
    found = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {canonicalize_name(each.name): each.specifier for each in found}


def declared():
    """The ranges that pyproject.toml declares, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found = [Requirement(line) for line in project["dependencies"]]
    return {canonicalize_name(each.name): each.specifier for each in found}


def test_the_functions_packages_have_the_ranges_of_the_project():
    assert asked_for().items() <= declared().items()


def test_every_package_we_ask_for_is_locked_within_its_range():
    locked = {pin.name: pin for pin in PINS}
    for name, ranges in asked_for().items():
        assert ranges.contains(locked[name].version), f"{name} {locked[name].version} is outside of {ranges}"
        assert "penstock" in locked[name].wanted_by


def test_nothing_is_locked_that_nobody_needs():
    names = {pin.name for pin in PINS} | {"penstock"}
    assert {pin.name: pin.wanted_by for pin in PINS if not pin.wanted_by or not set(pin.wanted_by) <= names} == {}
    assert {pin.name for pin in PINS if "penstock" in pin.wanted_by} == set(asked_for())


def test_every_package_has_an_exact_version_and_hashes():
    starts = [line for line in TEXT.splitlines() if line and line[0] not in "# "]
    assert len(starts) == len(PINS)
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][A-Za-z0-9.]* \\", line) for line in starts)
    assert all(pin.hashes and len(set(pin.hashes)) == len(pin.hashes) for pin in PINS)


def test_a_package_with_compiled_code_has_a_wheel_for_every_runtime():
    """One wheel for each of the runtimes, at least, unless it is for all of them (abi3 or pure Python)."""
    own_for_each_python = {"cffi", "pydantic-core", "multidict", "frozenlist", "jsonatapy", "yarl", "propcache"}
    counts = {pin.name: len(pin.hashes) for pin in PINS}
    assert {name: counts[name] for name in own_for_each_python if counts[name] < len(TARGETS)} == {}


def test_what_is_locked_for_is_every_runtime_that_can_be_deployed_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    supported = SpecifierSet(project["requires-python"])
    pythons = {f"3.{minor}" for minor in range(8, 20) if supported.contains(f"3.{minor}")}
    assert {target.python for target in TARGETS} == pythons
    assert len(set(TARGETS)) == len(TARGETS)
    assert target_of({}) in TARGETS


def test_the_lock_is_in_the_one_shape_that_the_program_writes():
    assert write_lock(PINS) == TEXT
    assert write_lock(reversed(PINS)) == TEXT


def test_a_version_for_some_pythons_only_is_read_as_it_is_written():
    pins = [Pin("x", "1.0", (A,), ("penstock",), ("3.11",)), Pin("x", "2.0", (B,), ("penstock",), ("3.12", "3.13"))]
    text = write_lock(pins)
    assert "x==1.0 ; python_version in '3.11' \\\n" in text
    assert read_lock(text) == pins


@pytest.mark.parametrize(
    "line",
    [
        "x==1.0",
        "x",
        f"x>=1.0 --hash=sha256:{A}",
        f"x==1.* --hash=sha256:{A}",
        f"x==1.0 --hash=sha256:{A[:-1]}",
        f"x==1.0 --hash=md5:{A[:32]}",
        f"x[extra]==1.0 --hash=sha256:{A}",
        f"x @ https://elsewhere.example/x.whl --hash=sha256:{A}",
        f"https://elsewhere.example/x.whl --hash=sha256:{A}",
        "--index-url https://elsewhere.example/simple",
        f"x==1.0 --hash=sha256:{A} --index-url https://elsewhere.example",
        "-e .",
        "../x",
    ],
)
def test_a_line_that_leaves_something_open_is_refused_by_its_number(line):
    with pytest.raises(LockError, match=r"line 2: .* is not `name==version`"):
        read_lock(f"# a comment\n{line}\n")


@pytest.mark.parametrize("text", ["", "# nothing\n\n"])
def test_a_lock_of_nothing_is_refused(text):
    with pytest.raises(LockError, match="names no package"):
        read_lock(text)


def test_a_package_that_stands_there_twice_is_refused():
    with pytest.raises(LockError, match="line 2: x stands there twice"):
        read_lock(f"x==1.0 --hash=sha256:{A}\nx==2.0 --hash=sha256:{B}\n")
    with pytest.raises(LockError, match="twice"):
        read_lock(f"x==1.0 --hash=sha256:{A}\nx==2.0 ; python_version in '3.11' --hash=sha256:{B}\n")


def test_a_line_that_ends_in_the_air_is_refused_not_waited_for():
    with pytest.raises(LockError, match="line 1"):
        read_lock("x==1.0 \\")

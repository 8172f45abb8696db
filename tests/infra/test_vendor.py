"""`vendor/`: rebuilt when stale, whole or not at all, compiled so that it is never taken for stale."""

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from infra import vendor
from infra.lock import LOCK, Pin, write_lock
from infra.vendor import FOLDER, Target, VendorError

ROOT = Path(__file__).parent.parent.parent
HERE = Target(f"{sys.version_info.major}.{sys.version_info.minor}", "x86_64")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project that needs one package, out of a folder of wheels."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    wheel(tmp_path, "tiny")
    lock(tmp_path, "tiny")
    return tmp_path


def lock(project, *names):
    """Lock the packages to the wheels that are there."""
    (project / LOCK).write_text(write_lock([Pin(name, "1.0", hashes(project, name), ("penstock",)) for name in names]))


def hashes(project, name):
    found = (project / "wheels").glob(f"{name}-*.whl")
    return tuple(sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in found))


def wheel(project, name, tag="py3-none-any", **files):
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(project / "wheels" / f"{name}-1.0-{tag}.whl", "w") as archive:
        archive.writestr(f"{name}/__init__.py", "WORDS = 'from the wheel'\n")
        for path, text in files.items():
            archive.writestr(f"{name}/{path.replace('__', '/')}", text)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")


def test_it_is_built_whole_and_says_from_what(project):
    assert vendor.is_stale(project, HERE)
    vendor.build(project, HERE)
    assert (project / FOLDER / "tiny" / "__init__.py").read_text() == "WORDS = 'from the wheel'\n"
    assert not vendor.is_stale(project, HERE)


@pytest.mark.parametrize(
    "change",
    [
        lambda project: (project / LOCK).write_text((project / LOCK).read_text() + "# another line\n"),
        lambda project: (project / FOLDER / ".built").unlink(),
        lambda project: (project / FOLDER / ".built").write_text("something else"),
    ],
    ids=["lock", "no stamp", "another stamp"],
)
def test_it_is_stale_when_what_it_was_built_from_has_changed(project, change):
    vendor.build(project, HERE)
    change(project)
    assert vendor.is_stale(project, HERE)


def test_another_runtime_makes_it_stale(project):
    vendor.build(project, HERE)
    assert vendor.is_stale(project, Target(HERE.python, "arm64"))
    assert vendor.is_stale(project, Target("3.99", "x86_64"))


def test_a_package_without_a_wheel_for_the_runtime_ends_it_and_leaves_the_old_one(project):
    vendor.build(project, HERE)
    python = HERE.python.replace(".", "")
    # jsonatapy's case: its wheel for arm64 wants a newer C library than Python 3.11's runtime has.
    wheel(project, "picky", f"cp{python}-cp{python}-manylinux_2_39_aarch64")
    lock(project, "tiny", "picky")
    with pytest.raises(VendorError, match="picky"):
        vendor.build(project, Target(HERE.python, "arm64"))
    assert (project / FOLDER / "tiny").is_dir()
    assert vendor.is_stale(project, HERE), "it must be built before anything is deployed"
    assert [each.name for each in project.iterdir() if each.name.startswith(".vendor-")] == []


def test_a_wheel_that_is_not_the_locked_one_ends_it_and_leaves_the_old_one(project):
    vendor.build(project, HERE)
    wheel(project, "tiny", **{"b.py": "import os"})  # the same name and version, with something added
    with pytest.raises(VendorError, match="HASHES"):
        vendor.build(project, HERE)
    assert not (project / FOLDER / "tiny" / "b.py").exists()
    assert not vendor.is_stale(project, HERE), "what was built before is still what the lock says"


def test_a_package_that_the_lock_forgot_ends_it(project):
    info = "Metadata-Version: 2.1\nName: greedy\nVersion: 1.0\nRequires-Dist: tiny\n"
    with zipfile.ZipFile(project / "wheels" / "greedy-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("greedy.py", "")
        archive.writestr("greedy-1.0.dist-info/METADATA", info)
        archive.writestr("greedy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("greedy-1.0.dist-info/RECORD", "")
    lock(project, "greedy")
    with pytest.raises(VendorError, match="tiny"):
        vendor.build(project, HERE)


def test_without_a_lock_nothing_is_installed(project):
    (project / LOCK).unlink()
    with pytest.raises(VendorError, match=r"requirements-lambda\.lock is missing"):
        vendor.build_if_stale(project, HERE, print)


@pytest.mark.parametrize("line", ["--extra-index-url https://elsewhere.example/simple", "tiny==1.0", "-r other.txt"])
def test_a_lock_with_anything_else_in_it_is_not_even_handed_to_pip(project, line):
    (project / LOCK).write_text((project / LOCK).read_text() + line + "\n")
    with pytest.raises(VendorError, match="is not `name==version` with SHA-256 hashes"):
        vendor.build(project, HERE)


def test_scripts_stubs_tests_and_records_are_left_out(project):
    wheel(project, "tiny", **{"a.pyi": "x: int", "tests__test_a.py": "", "deep__tests__test_b.py": "", "b.py": ""})
    lock(project, "tiny")
    vendor.build(project, HERE)
    found = {str(path.relative_to(project / FOLDER)) for path in (project / FOLDER).rglob("*") if path.is_file()}
    left = {each for each in found if not each.endswith(".pyc") and ".dist-info/" not in each}
    assert left == {".built", "tiny/__init__.py", "tiny/b.py"}
    assert not any(each.endswith("RECORD") for each in found)


def test_bytecode_is_of_the_unchecked_kind_and_names_lambdas_folder(project):
    vendor.build(project, HERE)
    (compiled,) = (project / FOLDER / "tiny" / "__pycache__").iterdir()
    content = compiled.read_bytes()
    # PEP 552: the flags are 1 for "has a hash", without 2 for "check it".
    assert int.from_bytes(content[4:8], "little") == 1
    assert b"/var/task/tiny/__init__.py" in content


@pytest.mark.parametrize(
    ("target", "newest", "machine"),
    [
        (Target("3.11", "x86_64"), "manylinux_2_26_x86_64", "x86_64"),
        (Target("3.12", "arm64"), "manylinux_2_34_aarch64", "aarch64"),
        (Target("3.13", "x86_64"), "manylinux_2_34_x86_64", "x86_64"),
    ],
)
def test_wheels_are_those_that_the_runtimes_c_library_can_load(target, newest, machine):
    platforms = target.platforms
    assert platforms[0] == newest
    assert platforms[-1] == f"manylinux2014_{machine}"
    assert all(each.endswith(machine) for each in platforms)


def test_nothing_is_built_from_source_and_nothing_compiled_by_pip(tmp_path):
    arguments = vendor.pip_arguments(tmp_path / "r.lock", tmp_path / "made", Target("3.12", "arm64"))
    assert "--only-binary=:all:" in arguments
    assert "--no-compile" in arguments
    assert "--require-hashes" in arguments
    assert arguments[arguments.index("--python-version") + 1] == "3.12"


def test_the_machine_follows_the_interpreter_unless_it_is_said():
    wanted = "arm64" if sys.version_info >= (3, 12) else "x86_64"
    assert vendor.target_of({}).machine == wanted
    assert vendor.target_of({"PENSTOCK_ARCHITECTURE": "arm64"}).machine == "arm64"
    with pytest.raises(VendorError, match="arm64 or x86_64"):
        vendor.target_of({"PENSTOCK_ARCHITECTURE": "riscv"})


def test_requirements_txt_names_no_package_and_says_why():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert lines
    assert all(line.startswith("#") for line in lines)
    assert LOCK in " ".join(lines)

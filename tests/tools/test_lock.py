"""How the lock is made of what uv finds; uv itself is asked by `make lock` alone."""

import pytest

from infra.lock import LockError, Pin
from infra.vendor import Target
from tools.lock import hashes_of, main, merged, tags_of, uv_platform, wanted_by

OLD, ARM, INTEL = Target("3.11", "x86_64"), Target("3.12", "arm64"), Target("3.12", "x86_64")


def package(*wheels):
    files = [{"url": f"https://files.example/{name}", "hashes": {"sha256": name[-20:]}} for name in wheels]
    return {"name": "x", "version": "1.0", "wheels": files}


@pytest.mark.parametrize(
    ("target", "wheel"),
    [
        (OLD, "x-1.0-py3-none-any.whl"),
        (OLD, "x-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
        (OLD, "x-1.0-cp311-cp311-manylinux_2_26_x86_64.whl"),
        (OLD, "x-1.0-cp38-abi3-manylinux2014_x86_64.whl"),
        (ARM, "x-1.0-cp312-cp312-manylinux_2_34_aarch64.whl"),
        (ARM, "x-1.0-cp39-abi3-manylinux_2_28_aarch64.whl"),
    ],
)
def test_a_wheel_that_the_runtime_can_load_is_kept(target, wheel):
    assert hashes_of(package(wheel), frozenset(tags_of(target)), target) == (wheel[-20:],)


@pytest.mark.parametrize(
    ("target", "wheel"),
    [
        (OLD, "x-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"),
        (OLD, "x-1.0-cp311-cp311-manylinux_2_17_aarch64.whl"),
        (OLD, "x-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"),
        (OLD, "x-1.0-cp311-cp311-musllinux_1_2_x86_64.whl"),
        (ARM, "x-1.0-cp312-cp312-manylinux_2_35_aarch64.whl"),
        (ARM, "x-1.0-cp312-cp312-macosx_11_0_arm64.whl"),
        (ARM, "x-1.0-cp312-cp312-win_arm64.whl"),
        (ARM, "x-1.0-cp313-abi3-manylinux_2_28_aarch64.whl"),
    ],
)
def test_a_wheel_that_it_cannot_load_is_no_wheel(target, wheel):
    with pytest.raises(LockError, match=r"x 1\.0 has no wheel"):
        hashes_of(package(wheel, "not a wheel.whl"), frozenset(tags_of(target)), target)


def test_uv_is_never_asked_for_a_newer_c_library_than_the_runtime_has():
    assert uv_platform(OLD) == "x86_64-manylinux_2_17"
    assert uv_platform(ARM) == "aarch64-manylinux_2_34"
    assert uv_platform(INTEL) == "x86_64-manylinux_2_34"


def test_who_needs_a_package_is_what_uv_says():
    told = "idna==3.10                # via -r infra/requirements-lambda.txt, yarl\nyarl==1.0  # via aiohttp\n"
    assert wanted_by(told) == {"idna": ("penstock", "yarl"), "yarl": ("aiohttp",)}


def test_the_same_version_everywhere_is_one_entry_with_the_wheels_of_all():
    found = merged(
        {
            OLD: [Pin("x", "1.0", ("a",), ("penstock",))],
            ARM: [Pin("x", "1.0", ("b",), ("y",))],
            INTEL: [Pin("x", "1.0", ("a", "c"), ("y",))],
        }
    )
    assert found == [Pin("x", "1.0", ("a", "b", "c"), ("penstock", "y"))]


def test_a_version_that_some_pythons_get_says_which():
    new = Pin("x", "2.0", ("b",), ("penstock",))
    found = merged({OLD: [Pin("x", "1.0", ("a",), ("penstock",))], ARM: [new], INTEL: [new]})
    assert [(pin.version, pin.pythons) for pin in found] == [("1.0", ("3.11",)), ("2.0", ("3.12",))]


def test_a_package_that_one_machine_alone_would_get_is_refused():
    """pip would look at the machine that deploys, not at the one that is deployed for."""
    both = Pin("x", "1.0", ("a",), ("penstock",))
    with pytest.raises(LockError, match=r"Python 3\.12 would get \('only-arm', '1\.0'\) on one machine only"):
        merged({OLD: [both], ARM: [both, Pin("only-arm", "1.0", ("b",), ("x",))], INTEL: [both]})


@pytest.mark.parametrize("arguments", [["--upgrade"], ["--check"], ["idna"]])
def test_other_arguments_are_refused(arguments, capsys, tmp_path):
    assert main(arguments, tmp_path) == 2
    assert "usage:" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

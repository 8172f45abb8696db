"""The engine of code nodes is what its sources and its compiler make, where both are at hand."""

import shutil
from importlib import metadata

import pytest

from tools.build_engines import SHIPPED, ZIG, BuildError, build_quickjs


@pytest.mark.slow
def test_the_shipped_engine_is_what_its_sources_make():
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not installed: it fetches the sources")
    try:
        found = metadata.version("ziglang")
    except metadata.PackageNotFoundError:
        pytest.skip("zig is not installed: pip install penstock[engines]")
    if found != ZIG:
        pytest.skip(f"zig {found} is installed, and the engine is built with {ZIG}")
    try:
        module, license_text = build_quickjs()
    except BuildError as error:
        if "cargo failed" not in str(error):
            raise
        pytest.skip("the sources cannot be fetched")
    assert module == (SHIPPED / "quickjs.wasm").read_bytes()
    assert license_text == (SHIPPED / "quickjs.LICENSE").read_bytes()

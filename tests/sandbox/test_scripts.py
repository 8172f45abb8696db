"""A script written into the engine: any script, any engine, is a module or a named refusal."""

import random

import pytest

from chalicelib.local.plugin_files import languages, package_bytes, write_new
from chalicelib.sandbox.errors import ModuleRefusedError
from chalicelib.sandbox.languages import engine
from chalicelib.sandbox.module import look_at
from chalicelib.sandbox.package import read_package
from chalicelib.sandbox.scripts import MOST_SCRIPT_BYTES, with_script


def test_the_engine_imports_three_functions_and_no_wasi():
    shape = look_at(engine("javascript"))
    assert sorted(name for _, name, _ in shape.imports) == ["http", "kv", "log"]
    assert not shape.wants_wasi
    assert len(engine("javascript")) < 1_500_000


@pytest.mark.parametrize("size", [1, 65_535, 65_536, MOST_SCRIPT_BYTES])
def test_a_script_of_any_size_makes_a_module(size):
    made = with_script(engine("javascript"), "x" * size)
    pages = -(-(size + 1) // 65_536)
    assert look_at(made).memory_pages == look_at(engine("javascript")).memory_pages + pages


@pytest.mark.parametrize("script", ["", "x" * (MOST_SCRIPT_BYTES + 1)])
def test_no_script_and_one_too_long_are_refused(script):
    with pytest.raises(ModuleRefusedError, match="A script has 1 to"):
        with_script(engine("javascript"), script)


def test_an_engine_that_is_none_is_refused():
    whole, chance = engine("javascript"), random.Random(7)
    cut = [whole[: chance.randrange(len(whole))] for _ in range(200)]
    for content in (b"", b"\0asm", b"\0asm\1\0\0\0", chance.randbytes(1000), *cut):
        with pytest.raises(ModuleRefusedError):
            with_script(content, "x")


@pytest.mark.parametrize("language", languages())
def test_a_new_plugin_in_each_language_bears_its_name(tmp_path, language):
    written = write_new(tmp_path / "tools", "shop_tools", language)
    assert "plugin: shop_tools\n" in (tmp_path / "tools" / "plugin.yaml").read_text("utf-8")
    assert len(written) >= 2


def test_a_script_is_packed_as_it_is(tmp_path):
    write_new(tmp_path / "tools", "shop_tools", "javascript")
    package = read_package(package_bytes(tmp_path / "tools"))
    assert list(package.manifest.nodes) == ["greet", "count", "look"]

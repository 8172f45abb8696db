"""docs/plugins.md says the numbers that the code has."""

from pathlib import Path

import pytest

from chalicelib.ports import PLUGIN_LIMITS
from chalicelib.sandbox import engine, manifest, module, process, serving
from chalicelib.sandbox.answers import DEEPEST
from chalicelib.sandbox.manifest import read_manifest
from chalicelib.worker import plugin_host

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text("utf-8")

SAID = {
    f"{module.MOST_BYTES // 10**6} MB; {module.MOST_FUNCTIONS:,} functions": True,
    f"longer than {module.MOST_FUNCTION_BYTES:,} bytes": True,
    f"within {serving.COMPILE_SECONDS:g} s of processor time": True,
    f"tables of {module.MOST_TABLE_ELEMENTS:,} elements": True,
    f"stack of {engine.STACK_BYTES // 1024} KB": True,
    f"{PLUGIN_LIMITS.memory_bytes // 1024**2} MB; tables": True,
    f"| {PLUGIN_LIMITS.seconds:g} s, or the step's": True,
    f"{PLUGIN_LIMITS.answer_bytes // 10**6} MB each": PLUGIN_LIMITS.request_bytes == PLUGIN_LIMITS.answer_bytes,
    f"{PLUGIN_LIMITS.http_calls} requests in a call": True,
    f"{PLUGIN_LIMITS.kv_calls} operations in a call": True,
    f"{PLUGIN_LIMITS.log_lines} lines in a call, {PLUGIN_LIMITS.log_bytes:,} bytes": True,
    f"nested {DEEPEST} deep": True,
    f"up to {plugin_host.MOST_VALUE_BYTES:,} bytes as JSON, a space up to {plugin_host.MOST_KEYS:,} keys": True,
    f"each {plugin_host.MOST_BODY_BYTES // 10**6} MB at most; answers of {plugin_host.MOST_ANSWER_BYTES // 10**6} MB": True,
    f"{process.MEMORY_BYTES // 1024**3} GB of address space": True,
    "ten billion instructions": PLUGIN_LIMITS.fuel == 10**10,
}


@pytest.mark.parametrize("said", SAID)
def test_a_limit_is_the_one_that_the_page_says(said):
    assert SAID[said]
    assert said in PAGE


def test_the_manifest_on_the_page_is_one():
    text = PAGE.split("```yaml\nplugin: geo")[1].split("```")[0]
    whole = f"plugin: geo{text}".replace("sha256: 9f2c...", "")
    assert read_manifest(whole.encode(), "plugin.yaml", "0" * 64).nodes["distance"]["effect"] == "read"


def test_the_words_of_a_schema_are_those_on_the_page():
    said = PAGE.split("JSON Schema with these words:")[1].split("There is no `pattern`")[0]
    assert set(manifest.SCHEMA_KEYS) == set(said.replace("\n", " ").replace("`", "").strip(" .").split(", "))

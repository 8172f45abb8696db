"""Packages and manifests: any bytes are one, or an error that says what is wrong."""

import contextlib
import hashlib
import io
import json
import random
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.sandbox.errors import ModuleRefusedError, PackageRefusedError
from chalicelib.sandbox.manifest import read_manifest, read_stored
from chalicelib.sandbox.module import look_at
from chalicelib.sandbox.package import MOST_PACKAGE_BYTES, read_package, write_package
from tests.sandbox.hostile import GOOD

NODE = {
    "title": "Work",
    "summary": "Does it.",
    "effect": "read",
    "parameters": {"type": "object", "properties": {"far": {"type": "number", "minimum": 0}}, "required": ["far"]},
}
SAID = {
    "plugin": "geo",
    "version": "1.2.3",
    "abi": 1,
    "summary": "Distances.",
    "asks": {"http": ["api.example.com", "*.example.org"], "kv": True},
    "nodes": {"work": NODE},
}


def manifest(**changes):
    said = {**SAID, **changes}
    return json.dumps({key: value for key, value in said.items() if value is not None}).encode()


def node(**changes):
    return manifest(nodes={"work": {**NODE, **changes}})


def zipped(*files, method=zipfile.ZIP_DEFLATED):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return made.getvalue()


HASH = hashlib.sha256(GOOD).hexdigest()
WHOLE = write_package(manifest(), "plugin.json", GOOD)


def test_a_package_is_read_as_it_was_written_and_its_manifest_as_it_is_stored():
    package = read_package(WHOLE)
    assert (package.manifest.name, package.manifest.version, package.module) == ("geo", "1.2.3", GOOD)
    assert package.manifest.asks.http == ("api.example.com", "*.example.org")
    assert read_stored(json.dumps(package.manifest.to_json()).encode()) == package.manifest
    entry = package.manifest.entries("a" * 64)["plugin_geo.work"]
    assert (entry["effect"], entry["plugin"]["hash"]) == ("read", "a" * 64)
    assert write_package(manifest(), "plugin.json", GOOD) == WHOLE


def test_a_manifest_may_be_yaml():
    text = (
        f"plugin: geo\nversion: 1.0.0\nabi: 1\nsha256: {HASH}\nsummary: x\nnodes:\n  work: {{title: a, summary: b}}\n"
    )
    assert (
        read_package(zipped(("plugin.yaml", text), ("plugin.wasm", GOOD))).manifest.nodes["work"]["effect"]
        == "at_least_once"
    )


WRONG = {
    "no zip": (b"hello", "no zip file"),
    "nothing": (b"", "no zip file"),
    "an empty zip": (zipped(), "and nothing else"),
    "no module": (zipped(("plugin.json", manifest())), "and nothing else"),
    "no manifest": (zipped(("plugin.wasm", GOOD)), "and nothing else"),
    "two manifests": (
        zipped(("plugin.json", manifest()), ("plugin.yaml", b"{}"), ("plugin.wasm", GOOD)),
        "and nothing else",
    ),
    "a file more": (zipped(("plugin.json", manifest()), ("plugin.wasm", GOOD), ("x.py", b"")), "'x.py'"),
    "a path upwards": (zipped(("../plugin.json", manifest()), ("plugin.wasm", GOOD)), "'../plugin.json'"),
    "an absolute path": (zipped(("/etc/passwd", b""), ("plugin.wasm", GOOD)), "'/etc/passwd'"),
    "a folder": (zipped(("plugin/", b""), ("plugin.wasm", GOOD)), "'plugin/'"),
    "a name twice": (None, "twice"),
    "a manifest that is a bomb": (zipped(("plugin.json", b" " * 50_000_000), ("plugin.wasm", GOOD)), "200,000 bytes"),
    "a module that is a bomb": (
        zipped(("plugin.json", manifest()), ("plugin.wasm", b"\0" * 40_000_000)),
        "16,000,000 bytes",
    ),
    "a package beyond the limit": (b"P" * (MOST_PACKAGE_BYTES + 1), "more than"),
    "a directory of many": (zipped(*((f"{n}", b"") for n in range(500))), "directory is too long"),
    "another packing": (
        zipped(("plugin.json", manifest()), ("plugin.wasm", GOOD), method=zipfile.ZIP_BZIP2),
        "a way that is not read",
    ),
    "another module's hash": (
        zipped(("plugin.json", manifest(sha256="0" * 64)), ("plugin.wasm", GOOD)),
        "another module",
    ),
    "no hash": (zipped(("plugin.json", manifest()), ("plugin.wasm", GOOD)), "`sha256`"),
    "cut": (WHOLE[:-30], "no zip file"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_no_package_is_refused_by_what_is_wrong(name):
    content, said = WRONG[name]
    if content is None:
        content = zipped(("plugin.json", manifest()), ("plugin.json", manifest()), ("plugin.wasm", GOOD))
    with pytest.raises(PackageRefusedError) as raised:
        read_package(content)
    assert said in raised.value.detail


BAD = {
    "no JSON": (b"{", "cannot be read"),
    "a key twice": (b'{"plugin": "a", "plugin": "b"}', "cannot be read"),
    "no text": (b"\xff\xfe", "cannot be read"),
    "nested": (b"[" * 100_000, "plugin.json"),
    "a word that there is not": (manifest(autorun=True), "has no `autorun`"),
    "no name": (manifest(plugin=None), "`plugin`"),
    "a name like a path": (manifest(plugin="../x"), "`plugin`"),
    "a name in capitals": (manifest(plugin="Geo"), "`plugin`"),
    "a long name": (manifest(plugin="a" * 31), "`plugin`"),
    "a version of words": (manifest(version="latest"), "`version`"),
    "a version that is a number": (manifest(version=1.0), "`version`"),
    "another ABI": (manifest(abi=2), "`abi`"),
    "an ABI that is true": (manifest(abi=True), "`abi`"),
    "a hash of another kind": (manifest(sha256="abc"), "`sha256`"),
    "no nodes": (manifest(nodes={}), "1 to 50 nodes"),
    "too many nodes": (manifest(nodes={f"n{n}": NODE for n in range(51)}), "1 to 50 nodes"),
    "nodes as a list": (manifest(nodes=[NODE]), "`nodes` is a map"),
    "a node's name": (manifest(nodes={"a.b": NODE}), "'a.b'"),
    "asks for everything": (manifest(asks={"http": ["*"]}), "names hosts"),
    "asks for a URL": (manifest(asks={"http": ["https://a.example/"]}), "names hosts"),
    "asks for files": (manifest(asks={"files": ["/"]}), "has no `files`"),
    "asks for kv by a word": (manifest(asks={"kv": "yes"}), "`asks.kv`"),
    "an effect that there is not": (node(effect="none"), "`effect`"),
    "a pure node that may call out": (node(effect="pure"), "no pure node"),
    "no title": (node(title=""), "`title`"),
    "a pattern": (node(parameters={"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}}), "has no `pattern`"),
    "a reference": (node(parameters={"type": "object", "properties": {"a": {"$ref": "#"}}}), "has no `$ref`"),
    "a minimum that is a text": (
        node(parameters={"type": "object", "properties": {"a": {"minimum": "1"}}}),
        "`minimum`",
    ),
    "a type that there is not": (node(parameters={"type": "object", "properties": {"a": {"type": "file"}}}), "`type`"),
    "parameters that are a list": (node(parameters={"type": "array"}), "its `type` is object"),
    "a parameter's name": (node(parameters={"type": "object", "properties": {"a-b": {}}}), "'a-b'"),
    "an example of nothing": (node(example={"given": 1}), "example.given"),
    "a summary without end": (manifest(summary="x" * 2_001), "`summary`"),
    "more than it may": (manifest(summary="x" * 300_000), "200,000 bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_manifest_is_refused_by_what_is_wrong(name):
    content, said = BAD[name]
    with pytest.raises(PackageRefusedError) as raised:
        read_manifest(content, "plugin.json", "0" * 64)
    assert said in raised.value.detail


def test_wasi_must_be_asked_for():
    from wasmtime import wat2wasm

    from tests.sandbox.hostile import simple

    wat = simple("", first='(import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))')
    with pytest.raises(PackageRefusedError, match="imports WASI"):
        write_package(manifest(), "plugin.json", bytes(wat2wasm(wat)))
    write_package(manifest(asks={"wasi": True}), "plugin.json", bytes(wat2wasm(wat)))


def test_a_schema_nested_without_end_is_refused():
    schema = {"type": "object"}
    for _ in range(20):
        schema = {"type": "object", "properties": {"a": schema}}
    with pytest.raises(PackageRefusedError, match="nested too deeply"):
        read_manifest(node(parameters=schema), "plugin.json", "0" * 64)


def test_any_change_of_a_package_is_a_package_or_the_error():
    chance = random.Random(7)
    for _ in range(1_500):
        content = bytearray(WHOLE)
        for _ in range(chance.randrange(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        try:
            package = read_package(bytes(content))
        except (PackageRefusedError, ModuleRefusedError):
            continue
        assert package.module == GOOD  # its hash is in the manifest, or it did not change


def test_any_change_of_a_module_is_a_module_or_the_error():
    chance = random.Random(11)
    for _ in range(3_000):
        content = bytearray(GOOD[: chance.randrange(8, len(GOOD) + 1)] if chance.random() < 0.3 else GOOD)
        for _ in range(chance.randrange(1, 6)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        try:
            look_at(bytes(content))
        except ModuleRefusedError:
            continue


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_manifest_a_package_and_a_module_or_their_errors(content):
    for reads in (
        lambda: read_manifest(content, "plugin.yaml", "0" * 64),
        lambda: read_package(content),
        lambda: look_at(content),
    ):
        with contextlib.suppress(PackageRefusedError, ModuleRefusedError):
            reads()


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "properties", "items", "nodes", "work", "given", "http", "required"]),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_any_value_in_a_manifests_place_is_read_or_refused(value):
    for key in ("nodes", "asks", "plugin", "summary"):
        with contextlib.suppress(PackageRefusedError):
            read_manifest(manifest(**{key: value}), "plugin.json", "0" * 64)
    for key in ("parameters", "output", "example", "more_examples", "title"):
        try:
            made = read_manifest(node(**{key: value}), "plugin.json", "0" * 64)
        except PackageRefusedError:
            continue
        assert read_stored(json.dumps(made.to_json()).encode()) == made

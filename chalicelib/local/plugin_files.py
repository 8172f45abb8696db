"""Plugins as files on this machine: a folder one is written in, a package, and trying its examples in the sandbox."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chalicelib.adapters.memory.blobs import MemoryBlobs
from chalicelib.adapters.memory.documents import MemoryDocuments
from chalicelib.adapters.sandbox import ProcessSandbox
from chalicelib.errors import ExpressionError, NotSentError, PenstockError, UsageError
from chalicelib.flow.values import Json
from chalicelib.local.folder import read_file
from chalicelib.ports import HttpAnswer, HttpRequest
from chalicelib.ports.plugins import PluginCall, Sent
from chalicelib.sandbox.languages import TEMPLATES, engine
from chalicelib.sandbox.manifest import MANIFESTS_HINT, Asks, read_manifest
from chalicelib.sandbox.package import MANIFESTS, MODULE, SUFFIX, Package, read_package, write_package
from chalicelib.sandbox.scripts import with_script
from chalicelib.worker.plugin_steps import fitted
from chalicelib.worker.plugins import InstalledPlugins

TEXT_MODULE: Final = "plugin.wat"
SCRIPT: Final = "plugin.js"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
_SECONDS = 10.0


def package_bytes(path: Path) -> bytes:
    """A package: the file itself, or made of a folder; UsageError, PackageRefusedError say what is wrong."""
    if not path.is_dir():
        return read_file(path)
    found = [path / name for name in MANIFESTS if (path / name).is_file()]
    if len(found) != 1:
        raise UsageError(f"{path} holds no {MANIFESTS_HINT}. `penstock plugins new` writes one.")
    return write_package(read_file(found[0]), found[0].name, _module(path))


def package_name(package: Package) -> str:
    """What the file of a package is called."""
    return f"{package.manifest.name}-{package.manifest.version}{SUFFIX}"


def entries_in(folder: Path) -> Mapping[str, Json]:
    """The nodes of the packages that lie in a folder, by type: what the check knows without asking a server."""
    found: dict[str, Json] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
        package = read_package(read_file(path))
        found.update(package.manifest.entries(package.manifest.sha256))
    return found


def _module(folder: Path) -> bytes:
    text, script = folder / TEXT_MODULE, folder / SCRIPT
    if script.is_file():
        try:
            return with_script(engine("javascript"), read_file(script).decode())
        except UnicodeDecodeError as error:
            raise UsageError(f"{script} is no text in UTF-8.") from error
    if not text.is_file():
        return read_file(folder / MODULE)
    from wasmtime import WasmtimeError, wat2wasm  # imported late: only plugins written as text need it

    try:
        return bytes(wat2wasm(read_file(text).decode()))
    except (WasmtimeError, UnicodeDecodeError) as error:
        raise UsageError(f"{text} is no WebAssembly text: {error}") from error


@dataclass(frozen=True, slots=True)
class Tried:
    """How one example of a node went."""

    node: str
    about: str
    is_good: bool
    said: str
    """What is wrong; empty where nothing is."""


async def try_examples(content: bytes) -> list[Tried]:
    """Run every example of a package in the sandbox, with what it asks for granted, but no host: nothing leaves."""
    package = read_package(content)
    asks = package.manifest.asks
    sandbox = ProcessSandbox()
    plugins = InstalledPlugins(MemoryDocuments(), MemoryBlobs(), sandbox, _NoHttp())
    try:
        installed = await plugins.add("main", content, Asks(asks.http, asks.kv, asks.log, asks.wasi), 0)
        return [
            await _try(plugins, installed.hash, package, node, example)
            for node, example in _examples(package.manifest.nodes)
        ]
    finally:
        await sandbox.close()


def _examples(nodes: Mapping[str, Mapping[str, Json]]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    for name, node in nodes.items():
        more = node.get("more_examples", [])
        for example in (node.get("example"), *(more if isinstance(more, list) else [])):
            if isinstance(example, dict):
                yield name, example


async def _try(plugins: InstalledPlugins, pin: str, package: Package, node: str, example: Mapping[str, Json]) -> Tried:
    about, given = str(example.get("about", "")), example.get("given", {})
    entry = next(one for kind, one in package.manifest.entries(pin).items() if kind.endswith(f".{node}"))
    try:
        parameters = fitted(entry, given if isinstance(given, dict) else {})
        call = PluginCall(
            *("main", package.manifest.name, pin, node, parameters, "example", "example"),
            now=_NOW,
            zone="UTC",
            seconds=_SECONDS,
        )
        answer = await plugins.call(call, Sent())
    except (PenstockError, ExpressionError) as error:
        return Tried(node, about, is_good=False, said=error.detail)
    if "error" in answer:
        return Tried(node, about, is_good=False, said=f"It failed: {answer['error']}")
    if "returns" in example and answer["ok"] != example["returns"]:
        return Tried(
            node, about, is_good=False, said=f"It gave {answer['ok']!r:.200}, not {example['returns']!r:.200}."
        )
    return Tried(node, about, is_good=True, said="")


class _NoHttp:
    """Where examples are tried nothing leaves the machine."""

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Refuse."""
        raise NotSentError("While examples are tried nothing is sent.")


def languages() -> list[str]:
    """The languages that there is a template for."""
    return sorted(each.name for each in TEMPLATES.iterdir() if each.is_dir())


def write_new(folder: Path, name: str, language: str | None = None) -> list[Path]:
    """Write a plugin that works into a new folder, in WebAssembly text or a language that has a template.

    UsageError where there is such a folder, the name cannot be one, or the language has no template.
    """
    if language is not None and language not in languages():
        raise UsageError(f"There is no template in {language[:40]}; there is one in {', '.join(languages())}.")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name} cannot name a plugin: small letters, digits and _, beginning with a letter.")
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise UsageError(f"{folder} is there already. Choose another name, or remove it.") from error
    files = {"plugin.yaml": _MANIFEST.format(name=name), TEXT_MODULE: _TEXT}
    if language is not None:
        files = _template(language, name)
    for file, text in files.items():
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    read_manifest(files["plugin.yaml"].encode(), "plugin.yaml", "0" * 64)
    return [folder / file for file in files]


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _template(language: str, name: str) -> dict[str, str]:
    """The files of a language's template, for a plugin of this name."""
    root = TEMPLATES / language
    files = {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in _files(root)}
    return {**files, "plugin.yaml": files["plugin.yaml"].replace("my_plugin", name)}


_MANIFEST = """\
plugin: {name}
version: 0.1.0
abi: 1
summary: Say here what it is for.
asks:                       # what an admin may grant; nothing is granted by itself
  http: []                  # hosts: api.example.com, *.example.com
  kv: false                 # a key-value space of its own
  log: false                # lines in the server's log
  wasi: false               # for toolchains that cannot do without
nodes:
  answer:
    title: Answer
    summary: Give the answer.
    effect: pure            # pure, read, idempotent or at_least_once
    parameters:
      type: object
      properties:
        question: {{type: string, description: What is asked.}}
      required: [question]
    output: {{type: integer}}
    example:
      given: {{question: What do you get if you multiply six by nine?}}
      returns: 42
"""

_TEXT = """\
;; A plugin in WebAssembly text: docs/plugins.md says what the host calls, and what it may be asked.
(module
  (memory (export "memory") 2)
  (global $next (mut i32) (i32.const 4096))
  (data (i32.const 0) "{\\"ok\\": 42}")

  (func (export "penstock_abi") (result i32)
    (i32.const 1))

  ;; Room for what the host writes: each call has a fresh instance, nothing need be freed.
  (func (export "penstock_alloc") (param $size i32) (result i32)
    (local $at i32) (local $short i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.add (global.get $next) (local.get $size)))
    (local.set $short
      (i32.sub (i32.shr_u (i32.add (global.get $next) (i32.const 65535)) (i32.const 16)) (memory.size)))
    (if (i32.gt_s (local.get $short) (i32.const 0))
      (then (if (i32.eq (memory.grow (local.get $short)) (i32.const -1)) (then unreachable))))
    (local.get $at))

  ;; The request stands at $at; the answer's offset and length come back as one number.
  (func (export "penstock_call") (param $at i32) (param $length i32) (result i64)
    (i64.or (i64.shl (i64.const 0) (i64.const 32)) (i64.const 10))))
"""

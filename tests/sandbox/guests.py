"""Guests in WebAssembly text, and how tests call them."""

import asyncio
import hashlib

from wasmtime import wat2wasm

from chalicelib.adapters.sandbox import ProcessSandbox
from chalicelib.ports import SandboxLimits, SandboxModule

HEAD = """
  (memory (export "memory") 2)
  (func (export "penstock_abi") (result i32) i32.const 1)
  (global $next (mut i32) (i32.const 4096))
  (func $alloc (export "penstock_alloc") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.add (global.get $next) (local.get $size)))
    (local.get $at))
"""
IMPORTS = """
  (import "penstock" "http" (func $http (param i32 i32) (result i64)))
  (import "penstock" "kv" (func $kv (param i32 i32) (result i64)))
  (import "penstock" "log" (func $log (param i32 i32 i32)))
"""


def text(content):
    """A text as a data segment holds it."""
    return "".join(f"\\{byte:02x}" for byte in content.encode())


def answering(answer, more=""):
    """A guest that always gives this answer."""
    return f"""(module {HEAD}
      (data (i32.const 0) "{text(answer)}")
      {more}
      (func (export "penstock_call") (param i32 i32) (result i64) i64.const {len(answer.encode())}))"""


def working(body, *, imports="", more="", locals_=""):
    """A guest whose `penstock_call` is this."""
    return f"""(module {imports} {HEAD}
      (data (i32.const 0) "{text('{"ok":1}')}")
      {more}
      (func $call (export "penstock_call") (param $at i32) (param $length i32) (result i64) {locals_} {body}))"""


OK = "(i64.const 8)"
"""The end of a guest that gives `{"ok":1}`."""

ECHO = working(
    """(i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $length)))"""
)
"""Gives back the request, which is no answer unless it looks like one."""


def asking(name, asked):
    """A guest that asks its host this, and gives back what it was answered."""
    return working(
        f"(call ${name} (i32.const 1024) (i32.const {len(asked.encode())}))",
        imports=IMPORTS,
        more=f'(data (i32.const 1024) "{text(asked)}")',
    )


def module_of(wat, name="guest"):
    content = wat if isinstance(wat, bytes) else bytes(wat2wasm(wat))

    async def load():
        return content

    return SandboxModule(hashlib.sha256(content).hexdigest(), name, load)


LIMITS = SandboxLimits(seconds=2.0, fuel=50_000_000)


def call(wat, request=None, *, tenant="main", **options):
    """Call a guest once, in a sandbox of its own."""

    async def called():
        sandbox = ProcessSandbox()
        try:
            return await sandbox.call(module_of(wat), request or {}, tenant=tenant, **{"limits": LIMITS, **options})
        finally:
            await sandbox.close()

    return asyncio.run(called())

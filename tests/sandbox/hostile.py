"""Hostile modules, each with how it ends: refused with these words, or stopped for this reason."""

from wasmtime import wat2wasm

from tests.sandbox.guests import ECHO, HEAD, IMPORTS, OK, answering, asking, text, working

HEADER = b"\0asm\x01\0\0\0"


def leb(number):
    out = b""
    while True:
        out += bytes([number & 0x7F | (0x80 if number > 0x7F else 0)])
        number >>= 7
        if not number:
            return out


def section(number, content):
    return bytes([number]) + leb(len(content)) + content


GOOD = bytes(wat2wasm(working(OK)))
WASI = "wasi_snapshot_preview1"


def simple(more, head=HEAD, first=""):
    """A whole guest with something more in it."""
    return f"""(module {first} {head} {more}
      (func (export "penstock_call") (param i32 i32) (result i64) i64.const 8))"""


def headless(memory='(memory (export "memory") 1)', abi="(result i32) i32.const 1", name="penstock_call"):
    return f"""(module {memory}
      (func (export "penstock_abi") {abi})
      (func (export "penstock_alloc") (param i32) (result i32) i32.const 0)
      (func (export "{name}") (param i32 i32) (result i64) i64.const 0))"""


def alloc(body, imports="", more=""):
    """A guest whose `penstock_alloc` is this."""
    return f"""(module {imports} (memory (export "memory") 2) {more}
      (func (export "penstock_abi") (result i32) i32.const 1)
      (func (export "penstock_alloc") (param $size i32) (result i32) {body})
      (func (export "penstock_call") (param i32 i32) (result i64) i64.const 8))"""


def giving(offset, length):
    return working(f"(i64.const {offset << 32 | length if offset < 2**31 else (offset << 32 | length) - 2**64})")


def body_of(code, locals_=b"\0"):
    """A module whose `penstock_call` has this body, in bytes: what no text would say."""
    types = section(1, b"\x03\x60\0\x01\x7f" + b"\x60\x01\x7f\x01\x7f" + b"\x60\x02\x7f\x7f\x01\x7e")
    functions = section(3, b"\x03\0\x01\x02")
    memory = section(5, b"\x01\0\x02")
    names = [(b"memory", 2, 0), (b"penstock_abi", 0, 0), (b"penstock_alloc", 0, 1), (b"penstock_call", 0, 2)]
    exports = section(7, leb(len(names)) + b"".join(leb(len(n)) + n + bytes([k, i]) for n, k, i in names))
    bodies = [b"\0\x41\x01\x0b", b"\0\x41\x80\x08\x0b", locals_ + code + b"\x0b"]
    return (
        HEADER + types + functions + memory + exports + section(10, b"\x03" + b"".join(leb(len(b)) + b for b in bodies))
    )


def wasi(name, params, body, result="(result i32)"):
    return working(body, imports=f'(import "{WASI}" "{name}" (func $w (param {params}) {result}))')


REFUSED = {
    "nothing at all": (b"", "no WebAssembly module"),
    "text": (b"hello", "no WebAssembly module"),
    "half a header": (b"\0asm", "no WebAssembly module"),
    "another version": (b"\0asm\x02\0\0\0", "no WebAssembly module"),
    "a component": (b"\0asm\x0d\0\x01\0", "a component"),
    "the header alone": (HEADER, "exports no memory"),
    "cut in the middle": (GOOD[:-7], "ends in the middle"),
    "a section longer than the module": (HEADER + b"\x01\xff\xff\x03", "ends in the middle"),
    "a section twice": (HEADER + section(3, b"\0") * 2, "twice"),
    "a section that there is not": (HEADER + section(200, b""), "no section 200"),
    "a number without end": (HEADER + b"\x01" + b"\xff" * 9, "more than 32 bits"),
    "a count beyond everything": (HEADER + section(1, b"\xff\xff\xff\xff\x0f"), "types"),
    "a name that is no text": (HEADER + section(2, b"\x01\x01\xff\x01a\0\0"), "UTF-8"),
    "a name longer than the module": (HEADER + section(2, b"\x01\xe0\x07"), "ends in the middle"),
    "a name longer than names": (HEADER + section(2, b"\x01\xff\x07"), "1,000 is the most"),
    "a module beyond the limit": (GOOD + section(0, b"\x01a" + b"\0" * 16_000_000), "16,000,000 is the most"),
    "noise after the header": (HEADER + bytes(range(1, 255)), "refused"),
    "an import of nobody's": (simple("", first='(import "env" "x" (func))'), "`env.x`"),
    "an import with a clever name": (simple("", first='(import "penstock\\00" "http" (func))'), "penstock"),
    "an imported memory": (
        '(module (import "penstock" "memory" (memory 1)))',
        "a memory, `penstock.memory`",
    ),
    "an imported table": ('(module (import "penstock" "t" (table 1 funcref)))', "a table"),
    "an imported global": ('(module (import "penstock" "g" (global i32)))', "a global"),
    "an imported tag": ('(module (import "penstock" "t" (tag)))', "a tag"),
    "a host function that there is not": (simple("", first='(import "penstock" "exec" (func))'), "`penstock.exec`"),
    "a host function of another type": (
        simple("", first='(import "penstock" "http" (func (param i32) (result i32)))'),
        "another type",
    ),
    "a WASI function that there is not": (simple("", first=f'(import "{WASI}" "path_exec" (func))'), "path_exec"),
    "a WASI function of another type": (simple("", first=f'(import "{WASI}" "fd_write" (func))'), "another type"),
    "WASI without the grant": (simple("", first=f'(import "{WASI}" "sched_yield" (func (result i32)))'), "not granted"),
    "a newer WASI": (simple("", first='(import "wasi:cli/run@0.2.0" "run" (func))'), "wasi:cli"),
    "no memory": (headless(memory=""), "exports no memory"),
    "a memory that is not exported": (headless(memory="(memory 1)"), "exports no memory"),
    "a memory that is a function": (headless(memory='(memory 1) (func (export "memory"))'), "exports no memory"),
    "no penstock_call": (headless(name="call"), "does not export `penstock_call`"),
    "penstock_abi of another type": (headless(abi="(result i64) i64.const 1"), "`penstock_abi` with another type"),
    "penstock_alloc is a global": (
        """(module (memory (export "memory") 1) (func (export "penstock_abi") (result i32) i32.const 1)
             (global (export "penstock_alloc") i32 (i32.const 1)))""",
        "`penstock_alloc` with another type",
    ),
    "_initialize of another type": (simple('(func (export "_initialize") (param i32))'), "`_initialize`"),
    "an export of a function that there is not": (
        body_of(b"\x42\x08").replace(b"penstock_abi\0\0", b"penstock_abi\0\x7f"),
        "`penstock_abi` with another type",
    ),
    "two memories": (headless(memory='(memory (export "memory") 1) (memory 1)'), "exactly one memory"),
    "a shared memory": (headless(memory='(memory (export "memory") 1 2 shared)'), "threads"),
    "a memory of 64 bits": (headless(memory='(memory (export "memory") i64 1)'), "64-bit"),
    "pages of another size": (headless(memory='(memory (export "memory") 1 (pagesize 1))'), "custom page sizes"),
    "a table of 64 bits": (simple("(table i64 1 funcref)"), "64-bit"),
    "a table beyond the limit": (simple("(table 20001 funcref)"), "20,000 is the most"),
    "many tables": (simple("(table 1 funcref)" * 5), "4 is the most"),
    "a table of a stranger's references": (simple("(table 1 externref)"), "something else than functions"),
    "SIMD in a type": (simple("(func (param v128))"), "SIMD"),
    "SIMD in a function": (simple("(func (drop (v128.const i64x2 0 0)))"), "SIMD"),
    "relaxed SIMD": (
        simple("(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))"),
        "SIMD",
    ),
    "atomics": (simple("(func (drop (i32.atomic.load (i32.const 0))))"), "threads"),
    "a tail call": (simple("(func $f (return_call $f))"), "tail calls"),
    "exceptions": (simple("(tag)"), "exceptions"),
    "try_table": (simple("(func (try_table))"), "exceptions"),
    "structures": (simple("(type (struct (field i32)))"), "garbage collection"),
    "a recursive group of types": (simple("(rec (type (func)) (type (func)))"), "garbage collection"),
    "typed function references": (simple("(type $t (func)) (func (param (ref $t)))"), "off"),
    "call_ref": (simple("(type $t (func)) (func (call_ref $t (ref.null $t)))"), "function references"),
    "wide arithmetic": (
        simple("(func (result i64 i64) (i64.mul_wide_u (i64.const 1) (i64.const 1)))"),
        "wide arithmetic",
    ),
    "stack switching": (simple("(type $f (func)) (type $c (cont $f))"), "off"),
    "a branch by type": (simple("(func (result i32) (ref.test i31ref (ref.null i31)))"), "refused"),
    "a body of another type than it says": (body_of(b"\x41\x01"), "type mismatch"),
    "an empty stack": (body_of(b"\x6a"), "type mismatch"),
    "a branch to nowhere": (body_of(b"\x0c\x7f"), "unknown label"),
    "a call of nobody": (body_of(b"\x10\xff\xff\x03"), "unknown function"),
    "a local that there is not": (body_of(b"\x20\xff\xff\x03\x1a\x42\x08"), "unknown local"),
    "an opcode that there is not": (body_of(b"\xff\x42\x08"), "refused"),
    "four billion locals": (body_of(b"\x42\x08", b"\x01\xff\xff\xff\xff\x0f\x7f"), "too many locals"),
    "bodies without functions": (HEADER + section(10, b"\x01\x02\0\x0b"), "exports no memory"),
    "more functions than it may": (HEADER + section(3, leb(50_001) + b"\0" * 50_001), "50,000 is the most"),
    "a function longer than it may": (body_of(b"\x01" * 500_001 + b"\x42\x08"), "500,000 is the most"),
    "more types than it may": (HEADER + section(1, leb(10_001) + b"\x60\0\0" * 10_001), "10,000 is the most"),
    "more exports than it may": (HEADER + section(7, leb(10_001)), "10,000 is the most"),
    "a data segment longer than the module": (GOOD + section(11, b"\x01\0\x41\0\x0b\xff\xff\x7f"), "refused"),
    "a start function with parameters": (simple("(start $alloc)"), "start"),
    "a jump table of 120,000 places": (
        body_of(b"\x02\x40\x41\0\x0e" + leb(120_000) + b"\0" * 120_001 + b"\x0b\x42\x08"),
        "implementation limit",
    ),
    "30,000 loops over 2,000 locals": (
        body_of(
            b"".join(
                b"\x03\x40\x20"
                + leb(2 + i % 2_000)
                + b"\x42\x01\x7c\x21"
                + leb(2 + i * 7 % 2_000)
                + b"\x41\0\x0d\0\x0b"
                for i in range(30_000)
            )
            + b"\x42\x08",
            b"\x01" + leb(2_000) + b"\x7e",
        ),
        "compiling it takes too much memory",
    ),
}
"""By name: the module, and what the refusal says."""

STOPPED = {
    "blocks nested 100,000 deep": (body_of(b"\x02\x40" * 100_000 + b"\x0b" * 100_000 + b"\x42\x08"), "answer"),
    "50,000 locals": (body_of(b"\x42\x08", b"\x01" + leb(49_000) + b"\x7e"), "answer"),
    "a function of 160,000 additions": (
        body_of(b"\x42\0" + b"\x20\0\xac\x7c\x42\x03\x7e" * 70_000 + b"\x1a\x42\x08"),
        "answer",
    ),
    "30,000 values alive at once": (
        body_of(b"\x20\0\x28\x02\0" * 30_000 + b"\x6a" * 29_999 + b"\x1a\x42\x08"),
        "answer",
    ),
    "20,000 functions": (
        simple("(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))" * 20_000),
        "answer",
    ),
    "a loop without end": (working(f"(loop $l (br $l)) {OK}"), "fuel"),
    "a loop with fuel for a year": (working(f"(loop $l (br $l)) {OK}"), "time"),
    "recursion": (working("(call $call (local.get 0) (local.get 1))"), "stack"),
    "recursion through a table": (
        working(
            "(call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 0))",
            more="(type $t (func (param i32 i32) (result i64))) (table 1 funcref) (elem (i32.const 0) $call)",
        ),
        "stack",
    ),
    "a start function without end": (simple("(func $s (loop $l (br $l))) (start $s)"), "fuel"),
    "a start function that traps": (simple("(func $s unreachable) (start $s)"), "unreachable"),
    "_initialize without end": (simple('(func (export "_initialize") (loop $l (br $l)))'), "fuel"),
    "penstock_abi without end": (headless(abi="(result i32) (loop $l (br $l)) i32.const 1"), "fuel"),
    "another version of the ABI": (headless(abi="(result i32) i32.const 2"), "abi"),
    "more memory than it may from the start": (headless(memory='(memory (export "memory") 2000)'), "memory"),
    "four gigabytes from the start": (headless(memory='(memory (export "memory") 65536)'), "memory"),
    "memory without end": (
        working(
            f"""(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
                (if (i32.gt_u (memory.size) (i32.const 1024)) (then unreachable)) (loop $m (br $m)) {OK}"""
        ),
        "fuel",
    ),
    "all of its memory written again and again": (
        working(
            f"""(drop (memory.grow (i32.const 1000)))
                (loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.mul (memory.size) (i32.const 65536))) (br $l)) {OK}"""
        ),
        "time",
    ),
    "tables without end": (
        working(
            """(loop $l (br_if $l (i32.ne (table.grow 0 (ref.null func) (i32.const 100)) (i32.const -1))))
                (if (i32.gt_u (table.size 0) (i32.const 20000)) (then (loop $m (br $m)))) unreachable""",
            more="(table 1 funcref)",
        ),
        "unreachable",
    ),
    "a table of four billion at once": (
        working(
            f"(if (i32.eq (table.grow 0 (ref.null func) (i32.const -1)) (i32.const -1)) (then unreachable)) {OK}",
            more="(table 1 funcref)",
        ),
        "unreachable",
    ),
    "a read beyond its memory": (working("(i64.load (i32.const -8))"), "memory"),
    "a write beyond its memory": (working(f"(i64.store (i32.const 131068) (i64.const 1)) {OK}"), "memory"),
    "a read with an offset that overflows": (working("(i64.load offset=4294967295 (i32.const -1))"), "memory"),
    "a copy beyond its memory": (
        working(f"(memory.copy (i32.const 0) (i32.const 1) (i32.const -1)) {OK}"),
        "memory",
    ),
    "data beyond its memory": (simple('(data (i32.const 131071) "abc")'), "memory"),
    "elements beyond a table": (simple("(table 1 funcref) (elem (i32.const 1) $alloc)"), "table"),
    "a call of an empty place": (
        working("(call_indirect (result i64) (i32.const 0))", more="(table 1 funcref)"),
        "table",
    ),
    "a call beyond a table": (
        working("(call_indirect (result i64) (i32.const 9))", more="(table 1 funcref)"),
        "table",
    ),
    "a call by another type": (
        working("(call_indirect (result i64) (i32.const 0))", more="(table 1 funcref) (elem (i32.const 0) $alloc)"),
        "table",
    ),
    "a division by zero": (working("(i64.div_u (i64.const 1) (i64.const 0))"), "arithmetic"),
    "a number that cannot be converted": (
        working(f"(drop (i32.trunc_f64_s (f64.const nan))) {OK}"),
        "arithmetic",
    ),
    "it gives up": (working("unreachable"), "unreachable"),
    "an answer beyond its memory": (giving(131_000, 1_000), "memory"),
    "an answer at the end of the world": (giving(2**32 - 1, 1), "memory"),
    "an answer whose end overflows": (giving(2**32 - 1, 2**20), "memory"),
    "an answer of two gigabytes": (giving(0, 2**31), "answer"),
    "an answer of four gigabytes, everywhere": (giving(2**32 - 1, 2**32 - 1), "answer"),
    "an answer of nothing": (giving(0, 0), "answer"),
    "an answer that is no text": (working("(i64.const 4)", more='(data (i32.const 0) "\\ff\\fe\\00\\80")'), "answer"),
    "an answer that is no JSON": (answering("{'ok': 1}"), "answer"),
    "an answer of another shape": (answering('[{"ok": 1}]'), "answer"),
    "an answer that is both": (answering('{"ok": 1, "error": {"message": "x"}}'), "answer"),
    "an error that is no object": (answering('{"error": "x"}'), "answer"),
    "an error that says more": (answering('{"error": {"message": "x", "port": "done"}}'), "answer"),
    "the request as its answer": (ECHO, "answer"),
    "NaN": (answering('{"ok": NaN}'), "answer"),
    "infinity": (answering('{"ok": -Infinity}'), "answer"),
    "a number beyond numbers": (answering('{"ok": 1e999}'), "answer"),
    "a whole number of 5,000 digits": (answering('{"ok": ' + "9" * 5_000 + "}"), "answer"),
    "half a character": (answering('{"ok": "\\ud800"}'), "answer"),
    "an answer nested 3,000 deep": (answering('{"ok": ' + "[" * 1_500 + "]" * 1_500 + "}"), "answer"),
    "an answer nested 300 deep": (answering('{"ok": ' + '{"a":' * 300 + "1" + "}" * 301), "answer"),
    "room beyond its memory": (alloc("i32.const 131072"), "memory"),
    "room before its memory": (alloc("i32.const -1"), "memory"),
    "room that traps": (alloc("unreachable"), "unreachable"),
    "room that never comes": (alloc("(loop $l (br $l)) i32.const 0"), "fuel"),
    "room that asks the host": (
        alloc("(drop (call $http (i32.const 0) (i32.const 2))) i32.const 1024", IMPORTS, '(data (i32.const 0) "{}")'),
        "reentry",
    ),
    "room that logs": (
        alloc("(call $log (i32.const 1) (i32.const 0) (i32.const 2)) i32.const 1024", IMPORTS),
        "reentry",
    ),
    "a question at the end of the world": (
        working("(call $http (i32.const -1) (i32.const 8))", imports=IMPORTS),
        "memory",
    ),
    "a question of four gigabytes": (working("(call $kv (i32.const 0) (i32.const -1))", imports=IMPORTS), "host_calls"),
    "questions without end": (
        working(f"(loop $l (drop (call $kv (i32.const 0) (i32.const 2))) (br $l)) {OK}", imports=IMPORTS),
        "host_calls",
    ),
    "requests without end": (
        working(f"(loop $l (drop (call $http (i32.const 0) (i32.const 2))) (br $l)) {OK}", imports=IMPORTS),
        "host_calls",
    ),
    "lines without end": (
        working(f"(loop $l (call $log (i32.const 1) (i32.const 0) (i32.const 16384)) (br $l)) {OK}", imports=IMPORTS),
        "fuel or time",
    ),
    "a line beyond its memory": (
        working(f"(call $log (i32.const 1) (i32.const 131071) (i32.const 2)) {OK}", imports=IMPORTS),
        "memory",
    ),
    "requests from its start function": (
        f"""(module {IMPORTS} {HEAD} (func $s (loop $l (drop (call $http (i32.const 0) (i32.const 2))) (br $l))) (start $s)
          (func (export "penstock_call") (param i32 i32) (result i64) i64.const 8))""",
        "host_calls",
    ),
}
"""By name: the module, and the reason it is stopped for. The first ones would burden the compiler, and only just do not."""

STOPPED_WITH_WASI = {
    "it ends itself": (wasi("proc_exit", "i32", "(call $w (i32.const 0)) (i64.const 8)", ""), "exit"),
    "random bytes beyond its memory": (
        wasi("random_get", "i32 i32", f"(drop (call $w (i32.const 131071) (i32.const 64))) {OK}"),
        "memory",
    ),
    "output from beyond its memory": (
        wasi(
            "fd_write",
            "i32 i32 i32 i32",
            f"(drop (call $w (i32.const 1) (i32.const -8) (i32.const 1) (i32.const 0))) {OK}",
        ),
        "memory",
    ),
    "output without end": (
        wasi(
            "fd_write",
            "i32 i32 i32 i32",
            f"""(i32.store (i32.const 2000) (i32.const 60000)) (i32.store (i32.const 2004) (i32.const -1))
                (loop $l (drop (call $w (i32.const 1) (i32.const 2000) (i32.const 1) (i32.const 3000))) (br $l)) {OK}""",
        ),
        "fuel or time",
    ),
    "the time beyond its memory": (
        wasi("clock_time_get", "i32 i64 i32", f"(drop (call $w (i32.const 0) (i64.const 0) (i32.const 131070))) {OK}"),
        "memory",
    ),
}
UNHARMED = {
    "a file": wasi(
        "path_open",
        "i32 i32 i32 i32 i32 i64 i64 i32 i32",
        f"""(if (i32.ne (call $w (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 0) (i64.const -1)
              (i64.const -1) (i32.const 0) (i32.const 100)) (i32.const 52)) (then unreachable)) {OK}""",
    ),
    "a directory that was left open": wasi(
        "fd_prestat_get",
        "i32 i32",
        f"(if (i32.ne (call $w (i32.const 3) (i32.const 0)) (i32.const 8)) (then unreachable)) {OK}",
    ),
    "the server's environment": wasi(
        "environ_sizes_get",
        "i32 i32",
        f"""(drop (call $w (i32.const 100) (i32.const 104)))
            (if (i64.ne (i64.load (i32.const 100)) (i64.const 0)) (then unreachable)) {OK}""",
    ),
    "a socket": wasi(
        "sock_send",
        "i32 i32 i32 i32 i32",
        f"""(if (i32.ne (call $w (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 8))
              (then unreachable)) {OK}""",
    ),
}
"""What a guest with WASI reaches for, and does not get: it says so itself."""

__all__ = ["GOOD", "REFUSED", "STOPPED", "STOPPED_WITH_WASI", "UNHARMED", "asking", "text"]

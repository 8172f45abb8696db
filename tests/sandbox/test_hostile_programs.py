"""Programs that mean harm, or go wrong as if they did: each is a plain value or a named failure, within its limits."""

import time
from itertools import count

import pytest

STOPPED = "code_stopped"
THROWN = "code_thrown"
RESULT = "code_result"
SYNTAX = "code_syntax"

ENDLESS = {
    "a loop": "for (;;);",
    "a loop that catches": "for (;;) { try { throw 1 } catch {} }",
    "a loop in a getter of the result": "return {get a() { for (;;); }}",
    "a loop in toJSON": "return {toJSON() { for (;;); }}",
    "a loop in a thrown error": "throw {toString() { for (;;); }}",
    "a loop in an error's message": "throw Object.defineProperty(new Error(), 'message', {get() { for (;;); }})",
    "promises without end": "const on = () => Promise.resolve().then(on); await on()",
    "microtasks without end": "const on = () => queueMicrotask(on); on(); await new Promise(() => {})",
    "a catastrophic regular expression": "return /^(a+)+$/.test('a'.repeat(50) + 'b')",
    "another one": "return /(x+x+)+y/.test('x'.repeat(60))",
    "a generator without end": "return [...(function* () { for (;;) yield })()].length || 1",
    "a sort that never agrees": "return Array(1e6).fill(0).sort(() => { for (let i = 0; i < 1e4; i++); return 1 })",
    "a clock that should move": "const start = Date.now(); while (Date.now() < start + 1000);",
    "finally again and again": "for (;;) { try { continue } finally { continue } }",
    "a proxy that is asked for ever": "return new Proxy({}, {ownKeys() { for (;;); }})",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_never_ends_is_stopped(programs, name):
    """T8, Z11: a script without a limit on its work held the server."""
    began = time.monotonic()
    failure = programs.failure(ENDLESS[name], seconds=0.5)
    assert failure.code == STOPPED
    assert time.monotonic() - began < 20


GROWING = {
    "a list": "const all = []; for (;;) all.push({})",
    "a text doubled": "let text = 'x'; for (;;) text += text",
    "texts kept": "const all = []; for (;;) all.push('x'.repeat(1e5) + all.length)",
    "one buffer": "return new ArrayBuffer(1e9).byteLength",
    "many buffers": "const all = []; for (;;) all.push(new Uint8Array(1e6))",
    "a map": "const map = new Map(); for (let i = 0; ; i += 1) map.set(i, {})",
    "a text repeated": "return 'x'.repeat(2 ** 29).length",
    "padding": "return 'x'.padEnd(2 ** 30 - 2, 'ab').length",
    "a regular expression's replacement": "return 'x'.repeat(1e6).replace(/x/g, 'y'.repeat(1e4)).length",
    "symbols": "const all = []; for (;;) all.push(Symbol('x'.repeat(1000)))",
    "a list joined": "return Array(2 ** 28).join('ab').length",
    "a number of many digits": "let n = 2n; for (;;) n *= n",
    "closures": "let f = () => 1; for (;;) { const g = f; f = () => g }",
    "a list of which only the length is large": "return Array(2 ** 32 - 1).fill(1)",
    "nested objects": "let a = {}; for (;;) a = {a}",
}


@pytest.mark.parametrize("name", GROWING)
def test_what_grows_without_end_is_stopped_or_told(programs, name):
    failure = programs.failure(GROWING[name], seconds=5)
    assert failure.code in {STOPPED, THROWN}
    if failure.code == THROWN:
        assert any(word in failure.message for word in ("RangeError", "out of memory", "too long"))


DEEP = {
    "calls": "const f = () => f() + 1; return f()",
    "methods": "class A { m() { return this.m({...this}) } } return new A().m()",
    "getters": "return {get a() { return this.a }}.a",
    "proxies": "let p = {}; for (let i = 0; i < 1e5; i += 1) p = new Proxy(p, {}); return p.x",
    "toString": "let a = []; for (let i = 0; i < 1e5; i += 1) a = [a]; return String(a)",
    "a parser": "return eval('('.repeat(1e5) + '1' + ')'.repeat(1e5))",
    "JSON that is read": "return JSON.parse('['.repeat(1e5) + ']'.repeat(1e5)).length",
    "JSON that is written": "let a = []; for (let i = 0; i < 1e5; i += 1) a = [a]; return a",
    "toJSON": "const o = {toJSON() { return {o} }}; return o",
    "generators": "function* g() { yield* g() } return [...g()]",
    "async functions": "const f = async () => f(); return f()",
    "sorting within sorting": "const f = () => [2, 1].sort(f); return f()",
    "a template in a template": "return eval('`${'.repeat(3e4) + 1 + '}`'.repeat(3e4))",
}


@pytest.mark.parametrize("name", DEEP)
def test_what_nests_without_end_is_stopped_by_name(programs, name):
    failure = programs.failure(DEEP[name])
    assert failure.code == STOPPED
    assert "nested too deeply" in failure.message


def test_what_nests_too_deeply_can_be_caught_by_the_program(programs):
    assert programs.value("const f = () => f() + 1; try { return f() } catch (e) { return e.name }") == "RangeError"


NO_JSON = {
    "a function": ("return () => 1", "no JSON value"),
    "a symbol": ("return Symbol('a')", "no JSON value"),
    "a BigInt": ("return 10n", "BigInt"),
    "a cycle": ("const a = {}; a.a = a; return a", "circular"),
    "101 levels": ("let a = []; for (let i = 0; i < 101; i += 1) a = [a]; return a", "100 levels"),
    "a getter that throws": ("return {get a() { throw new Error('mine') }}", "mine"),
    "a proxy that is revoked": ("const p = Proxy.revocable({}, {}); p.revoke(); return [p.proxy]", "revoked"),
    "a promise that is never settled": ("await new Promise(() => {})", "never settled"),
    "a toJSON that throws": ("return {toJSON() { throw 'x' }}", "x"),
}


@pytest.mark.parametrize("name", NO_JSON)
def test_a_result_that_is_no_json_is_named(programs, name):
    code, word = NO_JSON[name]
    failure = programs.failure(code)
    assert failure.code == RESULT
    assert word in failure.message


def test_half_a_character_is_no_result_and_a_whole_one_is(programs):
    failure = programs.failure("return ['\\ud800']")
    assert failure.code == RESULT
    assert "half a character" in failure.message
    assert programs.value("return ['\\ud83d\\ude00', '\\\\ud800', '\\ud7ff']") == ["😀", "\\ud800", "\ud7ff"]


def test_a_result_beyond_its_limit_is_named(programs):
    failure = programs.failure("return 'x'.repeat(4e6)")
    assert failure.code == STOPPED
    assert "larger than 4 MB" in failure.message


ESCAPES = {
    "the constructor of a function": "return (() => {}).constructor('return typeof process')()",
    "the constructor of an async function": "return await (async () => {}).constructor('return typeof require')()",
    "the constructor of a generator": "return (function* () {}).constructor('yield typeof std')().next().value",
    "an indirect eval": "return (0, eval)('typeof os')",
    "a global by this": "return typeof Function('return this')().process",
    "a getter on the prototype": "Object.defineProperty(Object.prototype, 'x', {get() { return this }}); return typeof x.process",
    "a brace closed early": "}); (async function () { return typeof process",
}


@pytest.mark.parametrize("name", ESCAPES)
def test_there_is_nothing_to_escape_to(programs, name):
    assert programs.value(ESCAPES[name]) == "undefined"


@pytest.mark.parametrize(
    "module", ["std", "os", "qjs:std", "qjs:os", "bjson", "fs", "./a.js", "/etc/passwd", "data:,1"]
)
def test_nothing_can_be_imported(programs, module):
    failure = programs.failure(f"return await import({module!r})")
    assert failure.code == THROWN
    assert "could not load module" in failure.message
    assert programs.failure(f"import x from {module!r}; return x").code == SYNTAX


POLLUTION = {
    "prototypes": "Object.prototype.polluted = 1; Array.prototype.push = null; Object.prototype.toJSON = () => 'mine'",
    "globals": "globalThis.polluted = 1; globalThis.JSON = null; globalThis.Promise = null; globalThis.console = null",
    "methods of text": "String.prototype.slice = () => 'mine'; Array.prototype.join = () => 'mine'",
    "iterators": "Array.prototype[Symbol.iterator] = null; Object.prototype.then = (f) => f('mine')",
    "errors": "Error.prototype.name = 'mine'; Error.prepareStackTrace = () => { throw 1 }; Error.stackTraceLimit = 1e9",
    "everything that is frozen": "Object.freeze(Object.prototype); Object.freeze(globalThis)",
}


@pytest.mark.parametrize("name", POLLUTION)
def test_a_call_finds_nothing_of_the_call_before(programs, name):
    programs.outcome(f"{POLLUTION[name]}; return 1")
    code = "return [typeof polluted, ({}).polluted, `${[1, 2]}`, JSON.stringify({a: 1}), new Error('e').name]"
    assert programs.value(code) == ["undefined", None, "1,2", '{"a":1}', "Error"]
    assert (
        programs.failure("throw new RangeError('plain')").message == "The program threw in line 1: RangeError: plain."
    )


FORGERIES = {
    "a frame that is closed early": ('return \'"}},"ok":{"value":1\'', '"}},"ok":{"value":1'),
    "an answer of its own": ("return {ok: {value: 1}}", {"ok": {"value": 1}}),
    "an error of its own": (
        'return {error: {kind: "thrown", message: "x"}}',
        {"error": {"kind": "thrown", "message": "x"}},
    ),
    "a key __proto__": ('return JSON.parse(\'{"__proto__": {"a": 1}}\')', {"__proto__": {"a": 1}}),
    "a zero in a text": ("return 'a\\0b'", "a\0b"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_value_is_that_value_whatever_it_looks_like(programs, name):
    code, value = FORGERIES[name]
    assert programs.value(code) == value


def test_a_polluted_prototype_changes_no_failure(programs):
    code = "Object.prototype.toJSON = () => ({message: 'forged', kind: 'result'}); throw new Error('mine')"
    assert programs.failure(code).message == "The program threw in line 1: Error: mine."


THROWN_ODDLY = {
    "null": "throw null",
    "a symbol": "throw Symbol('s')",
    "an object whose text cannot be had": "throw {toString: null, valueOf: null}",
    "a proxy": "throw new Proxy(new Error('p'), {get() { throw 1 }})",
    "an error whose stack is a lie": "throw Object.assign(new Error('s'), {stack: 'code:' + '9'.repeat(1e5)})",
    "an error with a long message": "throw new Error('x'.repeat(1e6))",
    "half a character": "throw new Error('\\ud800')",
    "an error of errors": "throw new AggregateError([1, 2], 'both')",
}


@pytest.mark.parametrize("name", THROWN_ODDLY)
def test_whatever_is_thrown_is_a_short_sentence(programs, name):
    failure = programs.failure(THROWN_ODDLY[name])
    assert failure.code == THROWN
    assert len(failure.message) < 1_200
    failure.message.encode()


@pytest.mark.parametrize(
    "code",
    [
        "return",
        "}",
        "{",
        "`",
        "/*",
        "'",
        "\\u0000",
        "\0",
        "return\u2028 1",
        "<!-- x",
        "#!/x",
        "yield 1",
        "with (a) {}",
        "a = 1",
        "return 010",
        "\ud83d",
    ],
)
def test_whatever_text_the_program_is_it_gives_a_value_or_a_named_failure(programs, code):
    found = programs.outcome(code)
    if hasattr(found, "failure"):
        assert found.failure.code in {SYNTAX, THROWN}


def test_one_tenants_program_runs_in_no_process_that_anothers_ran_in(programs):
    tenants = (f"t{number}" for number in count())
    code = "globalThis.left = (globalThis.left ?? 0) + 1; return globalThis.left"
    assert [programs.value(code, tenant=next(tenants)) for _ in range(3)] == [1, 1, 1]


def test_after_all_of_this_the_sandbox_still_works(programs):
    assert programs.value("return input + 1", 1) == 2

"""`code.javascript` in its sandbox: what a program may do, and what the language gives it."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.sandbox.programs import MOMENT
from tools.node_entries import all_nodes

JAVASCRIPT = all_nodes()["code.javascript"]


@pytest.mark.parametrize("example", [JAVASCRIPT.example, *JAVASCRIPT.more_examples])
def test_the_printed_examples_return_what_they_say(programs, example):
    assert programs.value(example.given["code"], example.given["input"]) == example.returns


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("return input", {"a": [1, "ä 😀", None, True, 1.5]}),
        ("", None),
        ("return undefined", None),
        ("return await Promise.all([1, 2].map(async (one) => one * 2))", [2, 4]),
        ("for await (const one of (async function* () { yield 3 })()) return one", 3),
        ("return new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("return new Map([[1, 2]])", {}),
        ("return {a: undefined, f() {}, n: NaN}", {"n": None}),
        ("return [1, 2, 3].at(-1) + Object.groupBy([1, 2], (n) => n % 2)[1].length", 4),
        ("return `${input.a.length}`", "5"),
        ("return [...'aä'].map((c) => c.codePointAt(0))", [97, 228]),
        ("return 2 ** 53", 2**53),
        ("return /(?<year>\\d{4})/v.exec('in 2026').groups.year", "2026"),
        ("// a comment at the end", None),
    ],
)
def test_a_program_returns_json(programs, code, value):
    assert programs.value(code, {"a": [1, "ä 😀", None, True, 1.5]}) == value


def test_an_error_names_the_line_of_the_program(programs):
    failure = programs.failure("const a = 1;\n\nthrow new TypeError('no ' + a);")
    assert (failure.code, failure.message) == ("code_thrown", "The program threw in line 3: TypeError: no 1.")
    assert not failure.is_retriable


def test_a_program_that_cannot_be_read_says_where(programs):
    failure = programs.failure("const a = 1;\nconst b = ;")
    assert failure.code == "code_syntax"
    assert failure.message.startswith("The program cannot be read in line 2: SyntaxError: ")


def test_a_program_says_itself_whether_another_try_may_help(programs):
    assert programs.failure("throw Object.assign(new Error('busy'), {retry: true})").is_retriable
    assert not programs.failure("throw Object.assign(new Error('busy'), {retry: 'yes'})").is_retriable


def test_time_stands_still_at_the_step_and_zones_are_utc(programs):
    code = "return [Date.now(), new Date().toISOString(), new Date().getTimezoneOffset()]"
    now = int(MOMENT.now.timestamp() * 1000)
    assert programs.value(code) == [now, "2026-11-20T07:00:00.000Z", 0]
    later = replace(MOMENT, now=datetime(2027, 1, 1, tzinfo=UTC))
    assert programs.value("return new Date().getFullYear()", moment=later) == 2027


def test_random_numbers_are_the_same_for_each_try_and_others_for_another_step(programs):
    code = "return [Math.random(), Math.random()]"
    first, second = programs.value(code)
    assert 0 <= first < 1
    assert first != second
    assert programs.value(code) == [first, second]
    assert programs.value(code, moment=replace(MOMENT, seed=bytes(32))) != [first, second]


def test_what_it_logs_goes_to_the_log_bounded_and_without_secrets(programs, caplog):
    programs.secrets.add(["hunter2-long"])
    with caplog.at_level(logging.DEBUG, "penstock.code"):
        programs.value("console.log('the key is', 'hunter2-long', {a: 1}); console.error(1n, Symbol('s'), null)")
    lines = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "penstock.code"]
    assert lines == [("INFO", 'compute: the key is *** {"a":1}'), ("ERROR", "compute: 1 Symbol(s) null")]
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "penstock.code"):
        programs.value("const long = 'x'.repeat(1e4); for (let i = 0; i < 1e4; i += 1) console.log(long)")
    said = [record.getMessage() for record in caplog.records if record.name == "penstock.code"]
    assert 1 <= len(said) <= 200
    assert sum(map(len, said)) < 120_000


def test_a_program_finds_nothing_to_reach_the_world_with(programs):
    names = [
        *("process", "require", "module", "exports", "std", "os", "bjs", "fetch", "XMLHttpRequest", "WebSocket"),
        *("WebAssembly", "SharedArrayBuffer", "Atomics", "setTimeout", "setInterval", "performance", "Worker"),
        *("navigator", "print", "scriptArgs", "Deno", "Bun", "penstock", "load", "importScripts", "gc"),
    ]
    found = programs.value(f"return {names!r}.filter((name) => name in globalThis)")
    assert found == []

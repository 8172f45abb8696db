"""The fuzzer finds what it is there for, and what it found once stays mended."""

import base64
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.fuzz.minimising import minimised
from tools.fuzz.mutating import Mutator
from tools.fuzz.parser import Parser, Unfit
from tools.fuzz.parsers import named, parsers, unreached
from tools.fuzz.running import Figures, batches
from tools.fuzz.worker import Finding, Outcome, problem_of

ROOT = Path(__file__).parents[2]
FOUND = json.loads((ROOT / "tests" / "vectors" / "fuzz-found.json").read_text("utf-8"))["rows"]
EVERY = parsers()


def example(take, declared=(), **more):
    return Parser("example", "nothing", lambda: [b'{"a": [1, "b"]}'], lambda: take, declared, **more)


@pytest.fixture
def ten_seconds():
    """What hangs fails, instead of holding up everything."""

    def over(*_):
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("ten_seconds")
@pytest.mark.parametrize("row", FOUND, ids=lambda row: f"{row['parser']}: {row['what'][:50]}")
def test_what_was_found_once_stays_mended(row):
    parser = named(row["parser"])
    assert problem_of(parser, parser.opened(), base64.b64decode(row["base64"])) is None


def test_every_parser_has_examples_and_most_of_them_are_taken():
    """A row whose examples are all refused would try nothing but the first line of its parser."""
    poor = []
    for parser in EVERY:
        take, outcome = parser.opened(), Outcome(parser.name)
        seeds = list(parser.seeds())
        seeds = seeds[:: 1 + len(seeds) // 60]
        problems = [found for seed in seeds if (found := problem_of(parser, take, seed, outcome))]
        assert seeds
        assert problems == [], parser.name
        if not outcome.values and "." not in parser.name:  # those found by their names have nobody's examples
            poor.append(parser.name)
    assert poor == []


def test_the_parsers_of_every_room_are_there():
    names = {parser.name for parser in EVERY}
    assert len(names) == len(EVERY) >= 60
    wanted = "flow_yaml flow_json expression template delivery structured_field certificate cron duration time csv xml yaml json"
    assert (
        set(
            f"{wanted} url address hosts json_body form multipart message fact entry link parameters suite key query".split()
        )
        <= names
    )


def test_a_parser_that_is_added_is_found_by_its_name():
    assert "adapters_http_url.read_host" in {parser.name for parser in EVERY}
    assert all(problem_of(parser, parser.opened(), b"\x00\xff") is None for parser in EVERY if "." in parser.name)


def test_what_is_called_like_a_parser_and_is_not_reached_is_told():
    assert "cli.running.read_input" in unreached()


def test_every_node_and_every_route_is_among_the_examples():
    """They come from the catalogue and the table of routes: what is added is tried without a change here."""
    from chalicelib.api.routes import TABLE
    from chalicelib.catalogue import entries

    used = {json.loads(seed)["uses"] for seed in named("parameters").seeds()}
    assert used == set(entries())
    lines = {seed.decode("latin-1").split("?")[0] for seed in named("api").seeds()}
    assert len(lines) == sum(len(route.methods) for route in TABLE)


def test_every_scheme_is_among_the_deliveries():
    from chalicelib.signing.inbound import scheme_names

    described = {json.loads(seed)["scheme"] for seed in named("verify_options").seeds()}
    assert set(scheme_names()) <= described


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), MemoryError(), AssertionError("x")], ids=repr)
def test_an_error_that_is_not_declared_is_a_finding(error):
    def take(content):
        raise error

    found = problem_of(example(take, (ValueError,)), take, b"x")
    assert found is not None
    assert found.what.startswith(type(error).__name__)


def test_a_value_a_declared_error_and_an_input_that_is_none_are_no_findings():
    outcome = Outcome("example")

    def take(content):
        if content == b"declared":
            raise ValueError("no")
        if content == b"unfit":
            raise Unfit
        return content

    for content in (b"value", b"declared", b"unfit"):
        assert problem_of(example(take, (ValueError,)), take, content, outcome) is None
    assert (outcome.values, outcome.refused, outcome.unfit) == (1, 1, 1)


def test_the_same_seed_gives_the_same_inputs_and_another_one_others():
    def inputs(seed, parser):
        mutator = Mutator(parser, list(parser.seeds()), seed)
        return [mutator.next() for _ in range(300)]

    for name in ("cron", "parameters"):
        assert inputs("1", named(name)) == inputs("1", named(name))
        assert inputs("1", named(name)) != inputs("2", named(name))


def test_inputs_differ_are_bounded_and_some_are_deep_and_long():
    parser = named("json_body")
    mutator = Mutator(parser, list(parser.seeds()), "0")
    inputs = [mutator.next() for _ in range(20_000)]
    assert len(set(inputs)) > 10_000
    assert max(map(len, inputs)) <= parser.most_bytes
    assert any(len(each) > 20_000 for each in inputs)
    assert any(b"[" * 1000 in each for each in inputs)
    assert any(b"\x00" in each for each in inputs)


def test_a_document_stays_a_document_whatever_is_changed_in_it():
    parser = named("message")
    mutator = Mutator(parser, list(parser.seeds()), "0")
    inputs = [mutator.next() for _ in range(3_000)]
    kinds = {type(json.loads(each)).__name__ for each in inputs}
    assert {"dict", "list", "str", "int"} <= kinds


def test_a_finding_is_made_as_small_as_still_shows_it():
    content = b"x" * 500 + b"[" + b"y" * 300 + b"]" + b"z" * 99
    small = minimised(content, lambda given: b"[" in given and b"]" in given, random.Random(0))
    assert small == b"[]"


def test_inputs_are_shared_out_by_the_shares():
    cheap, dear = named("address"), named("suite")
    counts: dict[str, int] = {}
    for batch in batches([cheap, dear], 0, 50_000):
        counts[batch.parser] = counts.get(batch.parser, 0) + batch.size
    assert counts["address"] + counts["suite"] == pytest.approx(50_000, abs=5)
    assert counts["address"] / counts["suite"] == pytest.approx(cheap.share / dear.share, rel=0.05)


def test_a_finding_counts_once_however_often_it_is_met():
    figures = Figures()
    for place in ("a:1", "a:1", "b:2"):
        finding = Finding("cron", "KeyError: x", place, b"")
        figures.add(Outcome("cron", tried=5, resident_kib=1000, findings=[finding]), 0)
    assert (figures.tried, len(figures.findings)) == (15, 2)


def test_what_a_process_grows_by_is_told():
    figures = Figures()
    for held in (1000, 1200, *[1300] * 18, 5200):
        figures.add(Outcome("cron", resident_kib=held), 0)
    assert figures.grown_kib() == 3900


PLANTED = """
import sys, time
from dataclasses import replace
import tools.fuzz.parsers as table
from tools.fuzz.parser import Parser
def hang():
    def take(content):
        while content.endswith(b"9"): pass
    return take
def crash():
    import os
    return lambda content: os._exit(9) if content.endswith(b"9") else None
def eat():
    return lambda content: bytes(3 << 30) if content.endswith(b"9") else None
def keep():
    held = []
    return lambda content: held.append(b'x' * 400_000)
def slow():
    return lambda content: [i for i in range(4_000_000)] if content.endswith(b"9") else None
faults = {"hang": hang, "crash": crash, "eat": eat, "keep": keep, "slow": slow}
rows = tuple(Parser(name, name, lambda: [b"1", b"2"], opened, (), 40, words=(b"9",), seconds=0.02) for name, opened in faults.items())
table.parsers = lambda: rows
"""


@pytest.mark.parametrize("fault", ["hang", "crash", "eat", "keep", "slow"])
def test_what_hangs_dies_eats_memory_or_is_slow_is_found(fault, tmp_path):
    """Parsers with a fault each, in processes of their own: the run goes on, and says what it was."""
    (tmp_path / "sitecustomize.py").write_text(PLANTED)
    count = 900 if fault == "keep" else 60
    story = (
        "import sitecustomize, json, tools.fuzz.running as running\n"
        "running.HANG_SECONDS = 6.0\n"
        "if __name__ == '__main__':\n"
        f"    chosen = [each for each in sitecustomize.rows if each.name == {fault!r}]\n"
        f"    todo = running.batches(chosen, 1, {count})\n"
        "    figures = running.run(chosen, todo, workers=1, seconds=100, heard=lambda figures: None)\n"
        "    print(json.dumps([[each.what, each.content.decode('latin-1')] for each in figures.findings] + [figures.grown_kib(), figures.tried]))\n"
    )
    script = tmp_path / "story.py"
    script.write_text(story)
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{tmp_path}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *findings, grown, tried = json.loads(done.stdout)
    if fault == "keep":
        assert grown > 150 * 1024
        return
    said = {
        "hang": "took longer than 6 s",
        "crash": "the process died",
        "eat": "MemoryError",
        "keep": "needed",
        "slow": "took longer than 0.02 s",
    }
    assert any(what.startswith(said[fault]) for what, _ in findings), findings
    assert all(content.endswith("9") for _, content in findings)
    assert tried >= 50


def test_the_command_says_what_it_tried_and_that_nothing_was_found():
    command = [
        sys.executable,
        "-m",
        "tools.fuzz",
        "--inputs",
        "400",
        "--parser",
        "duration",
        "--parser",
        "cron",
        "--json",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["findings"] == []
    assert said["inputs"] == sum(row["inputs"] for row in said["parsers"].values()) == pytest.approx(400, abs=2)
    assert set(said["parsers"]) == {"duration", "cron"}


def test_a_parser_there_is_not_is_said():
    command = [sys.executable, "-m", "tools.fuzz", "--parser", "nonsense"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "nonsense" in done.stderr

"""The check takes whatever a document says: any shape, nearly right flows, depth, size."""

import random
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.flow.check import check
from chalicelib.flow.planning import make_plan
from chalicelib.flow.text import Document
from tests.flow.catalogue import CATALOGUE

WORDS = st.sampled_from(
    [
        "a",
        "b",
        "c",
        "a.done",
        "b.error",
        "c.settled",
        "d.x",
        "set",
        "switch",
        "foreach",
        "webhook",
        "none",
        "20s",
        "uses",
        "${ steps.a.x }",
        "${ steps.b ?? 1 }",
        "${ errors.c.code }",
        "${ inputs.a[b=1] }",
        "${",
        "$${",
        "${ item }",
        "any",
        "first",
        "of",
        "at_least",
        "with",
        "cases",
        "steps",
        "after",
        "number",
        "�",
        "",
        "\x00",
        "é" * 50,
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)
NAMES = st.sampled_from(["a", "b", "c", "d", "e", "my-step", "in"])


def maybe(**parts):
    return st.fixed_dictionaries({}, optional={name.rstrip("_"): part | ANYTHING for name, part in parts.items()})


SOURCE = st.sampled_from(["a", "b", "c.done", "a.error", "d.settled", "b.skipped", "e.x", "e.else", "t"])
GROUP = st.fixed_dictionaries({"any": st.lists(SOURCE, max_size=3)}) | st.fixed_dictionaries(
    {"at_least": st.integers(-1, 3) | SCALARS, "of": st.lists(SOURCE, max_size=3)}
)
AFTER = SOURCE | GROUP | st.lists(SOURCE | GROUP, max_size=3)
STEP = maybe(
    uses=st.sampled_from(["set", "http.request", "switch", "approval", "foreach", "repeat", "x.y"]),
    after=AFTER,
    if_=WORDS,
    with_=st.dictionaries(st.sampled_from(["v", "over", "as", "cases", "url", "json", "until"]), ANYTHING, max_size=3),
    on_error=st.sampled_from(["continue"]) | st.fixed_dictionaries({"use": ANYTHING}),
    retry=maybe(attempts=st.integers(0, 3), first=st.just("2s"), for_=st.lists(WORDS, max_size=2)),
    timeout=st.sampled_from(["5s", "2d", "x"]),
    output=ANYTHING,
    effect=st.sampled_from(["pure", "at_most_once"]),
    steps=st.dictionaries(NAMES, ANYTHING, max_size=2),
)
FLOW = maybe(
    flow=st.just("order"),
    inputs=st.dictionaries(NAMES, maybe(type=st.sampled_from(["string", "array"]), default=ANYTHING), max_size=2),
    vars=st.dictionaries(NAMES, ANYTHING, max_size=2),
    triggers=st.dictionaries(
        st.sampled_from(["t", "a"]),
        maybe(uses=st.sampled_from(["webhook", "manual"]), verify=ANYTHING, inputs=ANYTHING, if_=WORDS, with_=ANYTHING),
        max_size=2,
    ),
    steps=st.dictionaries(NAMES, STEP, max_size=5),
    on_failure=st.dictionaries(NAMES, STEP, max_size=2),
    output=ANYTHING,
)


def hand_over(data):
    """The check's report, and the plan of what has no problem: neither may raise."""
    report = check(Document("x.json", data, {}, {}, ""), CATALOGUE)
    if not report.problems:
        make_plan(data, CATALOGUE)
    return report


@settings(max_examples=400, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["flow", "steps", "triggers", "inputs", "on_failure", "output"]), ANYTHING) | FLOW
)
def test_any_document_gives_a_report_and_what_passes_has_a_plan(data):
    hand_over(data)


@st.composite
def nearly_right(draw):
    """A flow whose names point backwards, with every kind of need, loop and template; often without a mistake."""
    steps: dict = {}
    ports: dict = {"t": ["t", "t.settled"]}
    for number in range(draw(st.integers(1, 6))):
        name = f"s{number}"
        known = [port for each in ports.values() for port in each]
        uses = draw(st.sampled_from(["set", "set", "switch", "approval", "foreach", "http.request"]))
        values = ["x", "${ inputs.z }", "a ${ trigger.at } b", "${ {'k': execution.id} }"]
        values += [f"${{ steps.{other}.v ?? 1 }}" for other in steps]
        values += [f"${{ steps.{other}.v }}" for other in steps if other in ports[other]]
        values += [f"${{ errors.{other}.code ?? 1 }}" for other in steps]
        text = st.sampled_from(values)
        step: dict = {"uses": uses}
        match uses:
            case "switch":
                step["with"] = {"cases": {"yes": "${ inputs.a = 1 }", "no": "${ inputs.a = 2 }"}}
                ports[name] = [f"{name}.yes", f"{name}.no", f"{name}.else"]
            case "approval":
                step["with"] = {"ask": draw(text)}
                ports[name] = [f"{name}.approved", f"{name}.rejected", f"{name}.settled"]
            case "foreach":
                inner = {"uses": "set", "with": {"v": draw(text), "i": "${ item }"}}
                step |= {"with": {"over": "${ inputs.rows[a=1] }"}, "steps": {f"{name}_in": inner}}
                ports[name] = [name, f"{name}.error"]
            case _:
                step["with"] = {"url": draw(text)} if uses == "http.request" else {"v": draw(text), "w": [draw(text)]}
                ports[name] = [name, f"{name}.error", f"{name}.skipped"]
                if draw(st.booleans()):
                    step["on_error"] = draw(st.just("continue") | st.builds(lambda value: {"use": value}, text))
                    ports[name] = [name, f"{name}.settled"]
        if draw(st.integers(0, 3)) == 0:
            step["if"] = "${ inputs.ok }"
        source = st.sampled_from(known)
        several = st.lists(source, min_size=2, max_size=3, unique=True)
        if draw(st.booleans()) and known:
            group = st.builds(lambda word, members: {word: members}, st.sampled_from(["any", "first"]), several)
            both = st.lists(source, min_size=2, max_size=2, unique=True)
            step["after"] = draw(source | group | both if len(known) > 1 else source)
        steps[name] = step
    flow = {"flow": "order", "triggers": {"t": {"uses": "manual"}}, "steps": steps}
    if draw(st.booleans()):
        flow["on_failure"] = {"tell": {"uses": "set", "with": {"v": "${ failure.message }"}}}
    if draw(st.booleans()):
        flow["output"] = draw(st.sampled_from([f"${{ steps.{name} ?? null }}" for name in steps]))
    return flow


def test_flows_that_are_nearly_right_give_a_report_and_a_plan():
    seen = {"clean": 0, "refused": 0}

    @settings(max_examples=400, deadline=None, database=None, derandomize=True)
    @given(nearly_right())
    def look(flow):
        seen["refused" if hand_over(flow).problems else "clean"] += 1

    look()
    assert min(seen.values()) > 40


def test_a_document_nested_deeper_than_anybody_writes_is_refused_and_breaks_nothing():
    deep: object = "${ steps.a.x }"
    for _ in range(5_000):
        deep = [deep]
    (problem,) = hand_over({"flow": "x", "steps": {"a": {"uses": "set", "with": {"v": deep}}}}).problems
    assert "deep" in problem.what


def large_flow(steps: int) -> dict:
    chance = random.Random(7)
    data = {}
    for number in range(steps):
        after = [f"s{one}" for one in chance.sample(range(number), min(number, 3))]
        text = f"${{ steps.s{number - 1}.v }} and ${{ $count(inputs.rows) }}" if number else "first"
        data[f"s{number}"] = {"uses": "set", "after": after, "with": {"v": text, "w": "${ inputs.a.b }"}}
    return {"flow": "large", "steps": data}


def calls_of(data: dict) -> int:
    """How many functions are called while a document is checked: its cost, on any machine."""
    count = 0

    def note(_frame, event, _argument):
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        report = check(Document("x.json", data, {}, {}, ""), CATALOGUE)
    finally:
        sys.setprofile(None)
    assert report.problems == ()
    return count


def test_ten_times_the_steps_are_about_ten_times_the_work():
    calls_of(large_flow(5))
    small, large = calls_of(large_flow(50)), calls_of(large_flow(500))
    assert large < 20 * small
    assert large < 1_000_000

"""Nodes are found by type, alone; what is generated from them is current."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import pytest

from chalicelib import catalogue
from chalicelib.errors import NodeUnknownError, NotBuiltYetError, ParameterError
from chalicelib.kit.action import Action, Control
from chalicelib.kit.values import Request
from chalicelib.nodes.slack import PostMessage
from tools.catalogue import differences, generated
from tools.flow_schema import flow_schema
from tools.node_entries import all_entries

ROOT = Path(__file__).parents[1]
SPINE = {
    *("webhook", "schedule", "manual", "switch", "wait", "respond", "fail", "set", "foreach", "call"),
    *("repeat", "callback", "approval", "http.request", "slack.post_message", "github.create_issue", "s3.put_object"),
    *("s3.get_object", "s3.list_objects", "sqs.send_message", "sns.publish", "openai.chat"),
}


def imported(code: str) -> list[str]:
    """The project's modules, and pydantic, that a fresh interpreter has after running code."""
    script = f"{code}\nimport sys, json\nprint(json.dumps([m for m in sys.modules if m.startswith(('chalicelib', 'pydantic'))]))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, text=True)
    return json.loads(done.stdout)


def test_the_nodes_of_the_spine_are_all_there() -> None:
    assert set(catalogue.entries()) >= SPINE


def test_finding_a_node_imports_its_file_and_no_other_node() -> None:
    modules = imported("from chalicelib import catalogue; catalogue.find('slack.post_message')")
    assert [name for name in modules if name.startswith("chalicelib.nodes.")] == ["chalicelib.nodes.slack"]
    packaged = imported("from chalicelib import catalogue; catalogue.find('http.request')")
    assert "chalicelib.nodes.http.download" not in packaged
    assert not [name for name in packaged if "builtin" in name or "slack" in name]


def test_the_catalogue_is_read_without_pydantic_and_without_a_node() -> None:
    modules = imported("from chalicelib import catalogue; assert catalogue.entries()['wait']")
    assert set(modules) == {"chalicelib", "chalicelib.problems", "chalicelib.errors", "chalicelib.catalogue"}


def test_the_plain_halves_of_the_kit_are_imported_without_pydantic() -> None:
    modules = imported("import chalicelib.kit.values, chalicelib.kit.encode, chalicelib.kit.judge, chalicelib.kit.cron")
    assert not [name for name in modules if name.startswith("pydantic")]


@pytest.mark.parametrize(
    "node_type",
    [
        "slack.nope",
        "nope",
        "nope.nope",
        "builtin.switch",
        "slack",
        "http.paging",
        "http.action",
        "slack.action",
        "slack.service",
        "s3.service",
        "Slack.post_message",
        "slack.post_message.x",
        "slack..post_message",
        "../slack.post_message",
        "slack/post_message",
        "os.path",
        "",
        ".",
        "slack.",
        ".post_message",
        "slack.PostMessage",
        "slack.post__message",
        "__init__",
        "slack.__class__",
        "slack.post_message\n",
        "http.request.run",
        "x" * 10_000,
        "wéb.hook",
    ],
)
def test_what_is_no_type_finds_nothing(node_type: str) -> None:
    with pytest.raises(NodeUnknownError) as caught:
        catalogue.find(node_type)
    assert len(caught.value.detail) < 300


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("slack.post_mesage", "slack.post_message"), ("webook", "webhook"), ("http.get", "http.request")],
)
def test_an_unknown_type_is_told_what_may_have_been_meant(wrong: str, right: str) -> None:
    with pytest.raises(NodeUnknownError, match="Did you mean") as caught:
        catalogue.find(wrong)
    assert wrong == "http.get" or right in caught.value.detail


def test_a_former_type_is_found_through_the_catalogue() -> None:
    former = [(old, new) for new, entry in all_entries().items() for old in entry["formerly"]]
    for old, new in former:
        assert catalogue.find(old) is catalogue.find(new)


def test_every_mistake_is_named_with_its_place_and_no_value() -> None:
    with pytest.raises(ParameterError) as caught:
        catalogue.build("slack.post_message", {"chanel": "hunter2", "text": ["hunter2"], "unfurl_links": "hunter2"})
    assert caught.value.detail == (
        "with.channel: is missing; with.text: should be a valid string; "
        "with.unfurl_links: should be a valid boolean, unable to interpret input; "
        "with.chanel: is not a parameter of this node; did you mean channel?"
    )
    assert caught.value.__cause__ is None
    assert "hunter2" not in repr(caught.value)


def test_a_place_within_a_list_or_an_object_is_named() -> None:
    with pytest.raises(ParameterError, match=r"^with\.messages\[1\]\.role: should be"):
        catalogue.build(
            "openai.chat", {"model": "m", "messages": [{"role": "user", "content": ""}, {"role": "x", "content": ""}]}
        )
    with pytest.raises(ParameterError, match=r"^with\.paging\.by: should be"):
        catalogue.build("http.request", {"url": "https://a.example", "paging": {"by": "magic"}})


def test_build_makes_the_node() -> None:
    node = catalogue.build("slack.post_message", {"channel": "#a", "text": "b"})
    assert node == PostMessage(channel="#a", text="b")


class Half(Control):
    """A node of which a part cannot be used yet."""

    not_built: ClassVar = {"later": "this cannot be done yet; leave it out"}

    now: int = 0
    later: int = 0


class Whole(Control):
    """A node that cannot be used yet at all."""

    not_built: ClassVar = {"*": "this cannot be done yet"}


def test_what_is_not_built_is_refused_by_name_whatever_it_is_given() -> None:
    assert catalogue.construct(Half, "half", {"now": 1}) == Half(now=1)
    with pytest.raises(NotBuiltYetError, match=r"^half with\.later: this cannot be done yet; leave it out\.$"):
        catalogue.construct(Half, "half", {"now": "x", "later": 1})
    for parameters in ({}, {"nonsense": 1}):
        with pytest.raises(NotBuiltYetError, match=r"^whole: this cannot be done yet\.$"):
            catalogue.construct(Whole, "whole", parameters)


def test_every_node_there_is_can_be_used() -> None:
    assert [name for name, entry in catalogue.entries().items() if entry.get("not_built")] == []


def test_nothing_a_node_is_handed_holds_a_credential() -> None:
    for entry in catalogue.entries().values():
        assert not {"token", "password", "secret", "api_key", "access_key", "secret_access_key"} & set(
            entry["parameters"]["properties"]
        )
    assert not [name for name in Request.__dataclass_fields__ if "credential" in name or "secret" in name]
    assert not [name for name in Action.model_fields if "credential" in name]


def test_what_is_generated_is_current() -> None:
    changed, gone = differences(generated())
    assert [path.name for path in (*changed, *gone)] == []


def test_a_page_that_no_node_has_is_named() -> None:
    files = generated()
    files.popitem()
    changed, gone = differences(files)
    assert not changed
    assert len(gone) == 1


def schemas(value: Any) -> Iterator[dict[str, Any]]:
    """Every schema within one."""
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from schemas(part)
    elif isinstance(value, list):
        for part in value:
            yield from schemas(part)


@pytest.mark.parametrize("node_type", catalogue.entries())
def test_an_entry_is_complete_and_its_schema_plain(node_type: str) -> None:
    entry = catalogue.entries()[node_type]
    assert entry["type"] == node_type
    assert entry["summary"].endswith((".", "."))
    assert entry["kind"] in {"action", "control", "trigger"}
    parameters = entry["parameters"]
    jsonschema.Draft202012Validator.check_schema(parameters)
    for schema in schemas(parameters):
        assert not {"$ref", "$defs"} & set(schema)
        assert {"type": "null"} not in schema.get("anyOf", [])
    for name, part in parameters["properties"].items():
        assert part["description"].endswith((".", ":", "…")), name
        assert (name in parameters["required"]) is ("default" not in part)
    if entry["kind"] != "trigger":
        assert entry["ports"]
        match entry["effect"]:
            case str(effect):
                assert effect in {"pure", "read", "idempotent", "at_least_once"}
            case {"by": by, "map": effects, "default": default}:
                assert set(parameters["properties"][by]["enum"]) == set(effects)
                assert default in effects


@pytest.mark.parametrize(
    "node_type", [name for name, entry in catalogue.entries().items() if entry["kind"] != "trigger"]
)
def test_an_examples_parameters_fit_the_schema(node_type: str) -> None:
    entry = catalogue.entries()[node_type]
    for example in (entry["example"], *entry["more_examples"]):
        given = {
            name: [value]
            if entry["parameters"]["properties"].get(name, {}).get("x-one") and not isinstance(value, list)
            else value
            for name, value in example["given"].items()
        }
        jsonschema.Draft202012Validator(entry["parameters"]).validate(given)


SCHEMA = jsonschema.Draft7Validator(flow_schema(catalogue.entries()))


def flow(**keys: Any) -> dict[str, Any]:
    return {"flow": "a-flow", "steps": {"one": {"uses": "set", "with": {"a": 1}}}, **keys}


def test_the_schema_for_editors_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA.schema)


@pytest.mark.parametrize(
    "document",
    [
        flow(),
        flow(timezone="UTC", inputs={"a": {"type": "string"}}, output="${ steps.one.a }", vars={"b": 1}, deadline="1h"),
        flow(triggers={"t": {"uses": "webhook", "with": {"method": "POST"}, "verify": "none", "respond": "result"}}),
        flow(triggers={"t": {"uses": "webhook", "verify": {"scheme": "github", "credential": "c"}, "if": "${ true }"}}),
        flow(triggers={"t": {"uses": "schedule", "with": {"every": "1h"}, "overlap": "skip", "catch_up": "all"}}),
        flow(triggers={"t": {"uses": "error"}, "u": {"uses": "error", "with": {"flows": ["a", "b-c"]}}}),
        flow(triggers={"t": {"uses": "error", "with": {"flows": "a"}}}),
        flow(concurrency=3),
        flow(concurrency={"max": 5}),
        flow(concurrency={"key": "${ inputs.customer }"}),
        flow(concurrency={"max": 5, "key": "c-${ inputs.customer }"}),
        flow(steps={"s": {"uses": "approval", "with": {"ask": "ok?", "expires": "2d", "by": ["Ann"]}}}),
        flow(steps={"s": {"uses": "callback", "with": {"expires": "${ inputs.time }", "heartbeat": "10m"}}}),
        flow(steps={"s": {"uses": "call", "with": {"flow": "x", "wait": True}}}),
        flow(
            steps={
                "s": {
                    "uses": "repeat",
                    "with": {"until": "${ last.done }", "every": "1d"},
                    "steps": {"in_it": {"uses": "set", "with": {"x": 1}}},
                }
            }
        ),
        flow(
            steps={
                "s": {
                    "uses": "wait",
                    "with": {"for": "${ inputs.pause }"},
                    "after": ["a", "b.port", {"any": ["c", "d"]}],
                }
            }
        ),
        flow(
            steps={
                "s": {"uses": "http.request", "with": {"url": "https://x.example", "limit_bytes": "${ vars.limit }"}}
            }
        ),
        flow(steps={"s": {"uses": "switch", "with": {"cases": {"large": "${ inputs.a > 1 }"}}}}),
        flow(
            steps={
                "s": {
                    "uses": "foreach",
                    "with": {"over": "${ inputs.rows }", "tolerate": "10%"},
                    "steps": {"in": {"uses": "set", "with": {}}}
                    and {"inner": {"uses": "set", "with": {"x": "${ item }"}}},
                    "output": "${ steps.inner.x }",
                }
            }
        ),
        flow(
            steps={
                "s": {
                    "uses": "fail",
                    "with": {"message": "x"},
                    "retry": {"attempts": 3, "within": "10m", "for": [429, "5xx"]},
                    "on_error": {"use": None},
                }
            }
        ),
    ],
)
def test_the_schema_for_editors_takes_flows(document: dict[str, Any]) -> None:
    assert [error.message for error in SCHEMA.iter_errors(document)] == []


@pytest.mark.parametrize(
    "document",
    [
        {"flow": "x"},
        flow(on="push"),
        flow(steps={"my-step": {"uses": "set"}}),
        flow(steps={"true": {"uses": "set"}}),
        flow(steps={"s": {"uses": "nope.nope"}}),
        flow(steps={"s": {"uses": "webhook"}}),
        flow(steps={"s": {"uses": "wait", "with": {"for": "soon"}}}),
        flow(steps={"s": {"uses": "wait", "with": {"fro": "1m"}}}),
        flow(steps={"s": {"uses": "slack.post_message", "with": {"text": "x"}}}),
        flow(steps={"s": {"uses": "slack.post_message"}}),
        flow(steps={"s": {"uses": "set", "wtih": {}}}),
        flow(steps={"s": {"uses": "http.request", "with": {"url": "https://x.example", "method": "FETCH"}}}),
        flow(steps={"s": {"uses": "foreach", "with": {"over": []}, "steps": {"t": {"uses": "nope"}}}}),
        flow(triggers={"t": {"uses": "set"}}),
        flow(triggers={"t": {"uses": "webhook", "respond": "later"}}),
        flow(triggers={"t": {"uses": "schedule", "with": {"every": "1h"}, "overlap": "cancel"}}),
        flow(triggers={"t": {"uses": "error", "with": {"flows": ["A b"]}}}),
        flow(concurrency=0),
        flow(concurrency=1001),
        flow(concurrency={}),
        flow(concurrency={"key": "customer"}),
        flow(concurrency={"group": "x"}),
        flow(steps={"s": {"uses": "fail", "with": {"message": "x"}, "retry": {"attempts": 3, "within": "soon"}}}),
        flow(steps={"s": {"uses": "approval", "with": {"expires": "2d"}}}),
    ],
)
def test_the_schema_for_editors_marks_mistakes(document: dict[str, Any]) -> None:
    assert not SCHEMA.is_valid(document)

"""Every node's example is true: it is what the docs print, so it had better be."""

import contextlib
import json

import jsonschema
import pytest

from chalicelib import catalogue
from chalicelib.errors import StepFailedError
from chalicelib.flow.model import LOOPS
from chalicelib.kit.action import Action, Control, Example, Node, Trigger
from chalicelib.kit.encode import encode
from chalicelib.kit.values import Failed, Request, Response, Succeeded, Unknown, Waits
from tests.talk import talk
from tools.node_entries import all_nodes

NODES = all_nodes()
WORKING = [
    pytest.param(node, example, id=f"{node_type}-{number}")
    for node_type, node in NODES.items()
    if not issubclass(node, Trigger) and "*" not in getattr(node, "not_built", {}) and node_type not in LOOPS
    for number, example in enumerate((node.example, *node.more_examples))
]


@pytest.mark.parametrize(("node", "example"), WORKING)
def test_an_example_is_true(node: type[Action] | type[Control], example: Example) -> None:
    asked, concluded = talk(node.model_validate(example.given), *example.receives)
    assert asked == example.sends
    if not isinstance(concluded, Succeeded | Failed | Waits | Unknown):
        concluded = Succeeded(concluded, "done")
    if isinstance(example.returns, Succeeded | Failed | Waits | Unknown):
        assert concluded == example.returns
    else:
        assert concluded == Succeeded(example.returns, example.port)


@pytest.mark.parametrize(("node", "example"), WORKING)
def test_what_an_example_sends_can_be_sent_and_what_it_returns_can_be_stored(
    node: type[Action] | type[Control], example: Example
) -> None:
    for ask in example.sends:
        if isinstance(ask, Request) and isinstance(node, type) and issubclass(node, Action):
            encoded = encode(ask, node.service, fields={"region": "eu-central-1", **example.given})
            assert encoded.url.startswith("https://")
    if not isinstance(example.returns, Succeeded | Failed | Waits | Unknown):
        json.dumps(example.returns, allow_nan=False)


@pytest.mark.parametrize("node_type", NODES)
def test_a_node_is_found_by_its_type(node_type: str) -> None:
    assert catalogue.find(node_type) is NODES[node_type]


@pytest.mark.parametrize(
    "node", [pytest.param(node, id=name) for name, node in NODES.items() if issubclass(node, Trigger)]
)
def test_a_trigger_takes_its_example(node: Node) -> None:
    assert issubclass(node, Trigger)
    if node.example:
        assert node.model_validate(node.example)


@pytest.mark.parametrize(("node", "example"), WORKING)
def test_what_a_wait_becomes_is_one_of_its_ways_out_and_fits_its_output(
    node: type[Action] | type[Control], example: Example
) -> None:
    assert isinstance(example.returns, Waits) or example.becomes is None
    if example.becomes is None:
        return
    assert issubclass(node, Control)
    assert example.becomes.port in node.ports
    if node.output is not None:
        jsonschema.Draft202012Validator(dict(node.output)).validate(example.becomes.value)


SENDING = [
    name
    for name, node in NODES.items()
    if issubclass(node, Action) and any(isinstance(ask, Request) for ask in node.example.sends)
]


@pytest.mark.parametrize("name", SENDING)
def test_an_answer_that_is_no_json_is_a_failure_and_no_bug(name: str) -> None:
    node = NODES[name]
    assert issubclass(node, Action)
    example = node.example
    conversation = node.model_validate(example.given).run()
    replies = iter(example.receives)
    ask = next(conversation)
    while not isinstance(ask, Request):
        ask = conversation.send(next(replies))
    nonsense = Response(200, b"\xff\x00 <not>", {"content-type": "application/json"})
    with contextlib.suppress(StopIteration, StepFailedError):  # anything else is a bug, and comes through
        assert not isinstance(conversation.send(nonsense), Request)

"""A thin node is its fields and a route."""

from typing import ClassVar

import pytest

from chalicelib.errors import ParameterError, StepFailedError
from chalicelib.kit.action import Action, Control
from chalicelib.kit.service import Route
from chalicelib.kit.values import Request, Response
from tests.talk import MOMENT, talk


class GetOrder(Action):
    """Read an order."""

    route = Route("GET", "/shops/{shop}/orders/{id}")
    shop: str
    id: int
    fields: list[str] | None = None


class PutOrder(Action):
    """Change an order."""

    route = Route("PUT", "/orders/{id}")
    id: str
    total: float
    note: str | None = None


class Nothing(Action):
    """Say nothing of itself."""

    kind: ClassVar[str] = "none"


def test_path_parts_go_into_the_path_and_the_rest_into_the_query() -> None:
    asked, value = talk(GetOrder(shop="a/b", id=7, fields=["total"]), Response.of({"total": 1}))
    assert asked == (Request("GET", "/shops/a%2Fb/orders/7", query={"fields": ["total"]}),)
    assert value == {"total": 1}


def test_a_method_with_a_body_gets_the_rest_as_json() -> None:
    asked, value = talk(PutOrder(id="x", total=1.5), Response(204))
    assert asked == (Request("PUT", "/orders/x", json={"total": 1.5}),)
    assert value is None


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_a_path_part_cannot_climb(part: str) -> None:
    with pytest.raises(ParameterError, match=r"with\.id"):
        talk(PutOrder(id=part, total=1))


def test_an_answer_that_is_no_json_fails_the_step() -> None:
    with pytest.raises(StepFailedError):
        talk(PutOrder(id="x", total=1), Response(200, b"<html>"))


def test_a_node_without_a_route_or_a_method_is_a_bug() -> None:
    with pytest.raises(TypeError, match="neither a route nor a run method"):
        Nothing().run()
    with pytest.raises(TypeError, match="the worker runs it"):
        Control().decide(MOMENT)

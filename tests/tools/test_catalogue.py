"""What is generated from the nodes: written, checked, and made from what a node's file says."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from chalicelib.kit.action import Action, Example
from chalicelib.kit.service import Route, Service
from chalicelib.kit.values import Request, Response
from tools.catalogue import main
from tools.field_docs import field_docs
from tools.node_entries import entry
from tools.node_pages import page
from tools.node_schema import parameter_schema


class Inner(BaseModel):
    """A part."""

    size: int = 1
    """How large."""


class Tree(BaseModel):
    """Something within itself."""

    name: str
    """Its name."""
    below: "list[Tree]" = []
    """What is below."""


class Parent(BaseModel):
    """The upper half."""

    first: str
    """The first
    field."""


class Sample(Parent):
    """All kinds of fields."""

    maybe: str | None = None
    """Optional text."""
    both: int | str = 0
    """One of two."""
    either: int | str | None = None
    """One of two, or neither."""
    inner: Inner | None = None
    """A part, if any."""
    tree: Tree | None = None
    """A tree."""
    kind: Literal["a", "b"] = "a"
    """A choice."""
    from_: Annotated[float, Field(alias="from", ge=0)] = 0
    """By another name."""
    bare: bool = False


SHOP = Service("Shop", base_url="https://api.shop.example", credential="bearer", docs="https://shop.example/docs")


class GetOrder(Action):
    """Read an order."""

    service = SHOP
    route = Route("GET", "/orders/{id}")
    example = Example(
        given={"id": 7, "fields": "total|lines"},
        sends=(Request("GET", "/orders/7", query={"fields": "total|lines"}),),
        receives=(Response.of({"total": 1}),),
        returns={"total": 1},
    )
    id: int
    """Which order, as `7|8`."""
    fields: str | None = None
    """Which fields."""


def test_the_sentence_under_a_field_is_its_documentation_by_the_name_flows_use() -> None:
    assert field_docs(Sample) == {
        "first": "The first field.",
        "maybe": "Optional text.",
        "both": "One of two.",
        "either": "One of two, or neither.",
        "inner": "A part, if any.",
        "tree": "A tree.",
        "kind": "A choice.",
        "from": "By another name.",
    }


def test_a_schema_is_plain() -> None:
    schema = parameter_schema(Sample)
    assert schema["required"] == ["first"]
    properties = schema["properties"]
    assert properties["first"] == {"description": "The first field.", "type": "string"}
    assert properties["maybe"] == {
        "description": "Optional text.",
        "type": "string",
        "default": None,
        "optional": True,
    }
    assert properties["either"]["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert properties["either"]["optional"] is True
    assert "optional" not in properties["both"]
    assert properties["inner"]["properties"] == {"size": {"description": "How large.", "default": 1, "type": "integer"}}
    assert properties["inner"]["description"] == "A part, if any."
    assert properties["from"] == {"description": "By another name.", "default": 0, "minimum": 0, "type": "number"}


def test_a_model_within_itself_is_shown_one_level_deep() -> None:
    tree = parameter_schema(Sample)["properties"]["tree"]
    assert tree["properties"]["name"] == {"description": "Its name.", "type": "string"}
    assert tree["properties"]["below"]["items"] == {"type": "object"}


def test_a_thin_node_is_described_from_its_route_and_fields() -> None:
    described = entry("shop.get_order", GetOrder)
    assert (described["kind"], described["service"], described["credential"]) == ("action", "Shop", "bearer")
    assert (described["title"], described["summary"], described["effect"]) == ("Get order", "Read an order.", "read")
    assert described["ports"] == ["done"]
    assert described["example"] == {
        "given": {"id": 7, "fields": "total|lines"},
        "returns": {"total": 1},
        "port": "done",
    }
    text = page(described)
    assert "| `id` | integer | Which order, as `7\\|8`. | **required** |" in text
    assert "credential: my_credential" in text
    assert "[Shop's own page](https://shop.example/docs)" in text


def test_a_node_that_sends_must_say_its_effect() -> None:
    class Sends(Action):
        """Send something."""

        example = Example(given={}, sends=(Request("POST", "/x"),))

    with pytest.raises(ValueError, match="say its effect"):
        entry("shop.sends", Sends)


def test_a_field_without_a_sentence_and_a_node_without_a_docstring_are_refused() -> None:
    class Bare(Action):
        """Do something."""

        example = Example(given={})
        field: int = 0

    class Silent(Action):
        example = Example(given={})

    with pytest.raises(ValueError, match="parameter field has no sentence"):
        entry("shop.bare", Bare)
    with pytest.raises(ValueError, match="Silent has no docstring"):
        entry("shop.silent", Silent)


def test_the_check_names_what_is_stale_and_writing_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], tmp_path) == 1
    assert "chalicelib/catalogue.json is not up to date: run `make catalogue`" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    stale = tmp_path / "docs" / "nodes" / "gone.node.md"
    stale.write_text("x")
    (tmp_path / "docs" / "nodes" / "wait.md").write_text("x")
    capsys.readouterr()
    assert main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err.splitlines() == [
        "docs/nodes/wait.md is not up to date: run `make catalogue`",
        "docs/nodes/gone.node.md is not up to date: run `make catalogue`",
    ]
    assert main([], tmp_path) == 0
    assert not stale.exists()
    assert main(["--check"], tmp_path) == 0
    assert main(["--nonsense"], tmp_path) == 2

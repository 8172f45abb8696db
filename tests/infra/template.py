"""infra/stack.yaml as a test reads it: `!Ref x` is {"Ref": x}."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


class _Loader(yaml.SafeLoader):
    """Takes CloudFormation's short forms."""


def _intrinsic(loader: Any, tag: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    return {tag: loader.construct_sequence(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)


@cache
def template() -> dict[str, Any]:
    """The whole of it."""
    return yaml.load((ROOT / "infra" / "stack.yaml").read_text("utf-8"), Loader=_Loader)


def resources() -> dict[str, Any]:
    """Its resources by their id in the template."""
    return template()["Resources"]


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy document in it, with the id of the resource that it stands in."""
    for name, each in resources().items():
        yield from ((name, found) for found in _found_in(each))


def _found_in(value: Any) -> Iterator[dict[str, Any]]:
    match value:
        case {"Statement": list()}:
            yield value
        case dict():
            for each in value.values():
                yield from _found_in(each)
        case list():
            for each in value:
                yield from _found_in(each)
        case _:
            pass

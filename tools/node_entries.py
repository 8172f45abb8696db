"""Walk the node files and say what each node is, as data."""

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

from chalicelib import catalogue, nodes
from chalicelib.kit.action import EFFECT_OF_METHOD, Action, Control, Example, Node, Trigger
from chalicelib.kit.values import Failed, Request, Succeeded, Unknown, Waits
from tools.node_schema import parameter_schema

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def all_nodes() -> dict[str, Node]:
    """Every node by its type, sorted: Penstock's own first."""
    return dict(sorted(_walk(), key=lambda pair: ("." in pair[0], pair[0])))


def _walk() -> Iterator[tuple[str, Node]]:
    """The public node classes of every module in the room."""
    for info in walk_packages(nodes.__path__, f"{nodes.__name__}."):
        module = import_module(info.name)
        for name, value in vars(module).items():
            if not (isinstance(value, type) and issubclass(value, Action | Control | Trigger)):
                continue
            if value.__module__ == info.name and not name.startswith("_"):
                yield _type_of(info.name, name), value


def _type_of(module: str, class_name: str) -> str:
    """The type by which the catalogue will find a class; ValueError where it will not."""
    _, _, path = module.partition("nodes.")
    action = _CAPITAL.sub("_", class_name).lower()
    service, _, inner = path.partition(".")
    node_type = action if service == "builtin" else f"{service}.{action}"
    if catalogue.class_name(action) != class_name or (inner and inner != action):
        raise ValueError(f"{module}.{class_name} cannot be found as {node_type}: a package holds one node per file")
    if catalogue.find(node_type).__name__ != class_name:
        raise ValueError(f"{module}.{class_name} is hidden by another node {node_type}")
    return node_type


def entry(node_type: str, node: Node) -> dict[str, Any]:
    """What the catalogue says of a node."""
    summary, body = _doc(node)
    common = {
        "type": node_type,
        "kind": "action" if issubclass(node, Action) else "control" if issubclass(node, Control) else "trigger",
        "service": None,
        "title": node_type.rpartition(".")[2].replace("_", " ").capitalize(),
        "summary": summary,
        "doc": body,
    }
    parameters = parameter_schema(node)
    for name, part in parameters["properties"].items():
        if "description" not in part:
            raise ValueError(f"{node_type}: parameter {name} has no sentence under it")
    rest = {"parameters": parameters, "formerly": list(node.formerly)}
    if issubclass(node, Trigger):
        return {
            **common,
            "effect": None,
            "ports": [],
            "ports_from": None,
            "credential": None,
            **rest,
            "output": None,
            "example": dict(node.example),
            "not_built": {},
            "hands_over": dict(node.hands_over),
            "verifies": node.verifies,
        }
    service = node.service if issubclass(node, Action) else None
    return {
        **common,
        "service": service.name if service else None,
        "effect": _effect(node_type, node),
        "ports": list(node.ports) if issubclass(node, Control) else _action_ports(node),
        "ports_from": node.ports_from if issubclass(node, Control) else None,
        "credential": service.credential if service and service.credential != "none" else None,
        **rest,
        "output": node.output,
        "example": _example(node.example),
        "more_examples": [_example(example) for example in node.more_examples],
        "not_built": dict(node.not_built) if issubclass(node, Control) else {},
        "docs": service.docs if service else "",
    }


def _action_ports(node: type[Action]) -> list[str]:
    """The ports that an action's examples leave by."""
    return list(dict.fromkeys(["done", *(example.port for example in (node.example, *node.more_examples))]))


def _doc(node: Node) -> tuple[str, str]:
    """A node's sentence, and what is said beyond it."""
    summary, _, body = inspect.cleandoc(node.__doc__ or "").partition("\n\n")
    if not node.__doc__ or node.__doc__ == (node.__base__ or object).__doc__:
        raise ValueError(f"{node.__name__} has no docstring")
    return " ".join(summary.split()), body


def _effect(node_type: str, node: type[Action] | type[Control]) -> str | dict[str, Any]:
    """What running it does to the world, or how that follows from a parameter."""
    if issubclass(node, Control):
        return node.effect
    if node.effect_by is not None:
        field = node.model_fields[node.effect_by]
        return {"by": field.alias or node.effect_by, "map": dict(EFFECT_OF_METHOD), "default": field.default}
    if node.effect is not None:
        return node.effect
    if node.route is not None:
        return EFFECT_OF_METHOD[node.route.method]
    if any(isinstance(ask, Request) for example in (node.example, *node.more_examples) for ask in example.sends):
        raise ValueError(f"{node_type} sends requests: say its effect")
    return "pure"


def _example(example: Example) -> dict[str, Any]:
    """An example as data: what is given, what comes out, by which port."""
    data: dict[str, Any] = {"given": example.given, "returns": example.returns, "port": example.port}
    match example.returns:
        case Succeeded(value, port):
            data |= {"returns": value, "port": port}
        case Waits(value=value):
            data["returns"] = value
        case Failed(failure) | Unknown(failure):
            data |= {"returns": {"code": failure.code, "message": failure.message}, "port": "error"}
        case _:
            pass
    if example.becomes is not None:
        data |= {"returns": example.becomes.value, "port": example.becomes.port}
    return {**data, "about": example.about} if example.about else data


@cache
def all_entries() -> Mapping[str, dict[str, Any]]:
    """Every node's entry by its type."""
    return {node_type: entry(node_type, node) for node_type, node in all_nodes().items()}

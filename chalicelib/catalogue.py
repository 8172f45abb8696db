"""Finds a node by its type, importing only the file it lives in, and builds it from a step's parameters.

`slack.post_message` is `nodes/slack.py::PostMessage`, or `nodes/slack/post_message.py::PostMessage` where the service
is a package; a type without a dot is `nodes/builtin/<type>.py`. `entries` reads the generated `catalogue.json`: it
costs no node's import, and no pydantic.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from chalicelib.errors import NodeUnknownError, NotBuiltYetError, ParameterError, SettingError

if TYPE_CHECKING:  # at run time pydantic comes with the first node, not before
    from pydantic_core import ErrorDetails

    from chalicelib.kit.action import Action, Control, Node, Trigger

_TYPE = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*(\.[a-z0-9]+(_[a-z0-9]+)*)?")
"""`[a-z0-9_]+` with or without a dot, and each word of it not empty: one class has one type."""
_ROOM: Final = "chalicelib.nodes"
_FILE: Final = Path(__file__).with_name("catalogue.json")


@cache
def entries() -> Mapping[str, Any]:
    """The catalogue as data, by type: what the check, the palette and the forms read. Do not change it."""
    try:
        return json.loads(_FILE.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingError(f"{_FILE.name} cannot be read: run `make catalogue`") from error


@cache
def find(node_type: str) -> "Node":
    """The class a type names, or once named; NodeUnknownError with what may have been meant."""
    node = _imported(node_type) if _TYPE.fullmatch(node_type) else None
    if node is not None:
        return node
    for current, entry in entries().items():
        if node_type in entry["formerly"]:
            return find(current)
    close = _alike(node_type, entries())
    raise NodeUnknownError(
        f"There is no node {node_type[:80]!r}. "
        + (f"Did you mean {close}?" if close else "`penstock nodes list` shows those there are.")
    )


def build(node_type: str, parameters: Mapping[str, Any]) -> "Action | Control | Trigger":
    """The node with its parameters, evaluated and checked.

    Raises:
        NodeUnknownError: no node has this type.
        ParameterError: with every mistake, each with its place (`with.channel: is missing`); values are never repeated.
        NotBuiltYetError: the node, or a parameter that was given, cannot be used yet.
    """
    return construct(find(node_type), node_type, parameters)


def construct(node: "Node", node_type: str, parameters: Mapping[str, Any]) -> "Action | Control | Trigger":
    """A node of this class and type, as `build` makes it; raises ParameterError and NotBuiltYetError as it does."""
    not_built: Mapping[str, str] = getattr(node, "not_built", {})
    for name, sentence in not_built.items():
        if name == "*" or name in parameters:
            raise NotBuiltYetError(f"{node_type}{'' if name == '*' else f' with.{name}'}: {sentence}.")
    try:
        return node.model_validate(parameters)
    except ValueError as error:
        from pydantic import ValidationError  # imported late: the node has brought it along

        if not isinstance(error, ValidationError):
            raise
        mistakes = error.errors(include_url=False, include_input=False, include_context=False)
        sentences = [_sentence(mistake, node) for mistake in mistakes[:10]]
        raise ParameterError("; ".join(sentences)) from None


def _imported(node_type: str) -> "Node | None":
    """The class where its type says it is, or None."""
    service, dot, action = node_type.partition(".")
    if not dot:
        service, action = "builtin", node_type
    elif service == "builtin":
        return None
    module = _module(f"{_ROOM}.{service}")
    if module is not None and hasattr(module, "__path__"):
        module = _module(f"{_ROOM}.{service}.{action}")
    if module is None:
        return None
    from chalicelib.kit.action import Action, Control, Trigger  # imported late: it brings pydantic

    found = getattr(module, class_name(action), None)
    if (
        isinstance(found, type)
        and issubclass(found, Action | Control | Trigger)
        and found.__module__ == module.__name__
    ):
        return found
    return None


def class_name(action: str) -> str:
    """The class that an action's name stands for: `post_message` is `PostMessage`."""
    return "".join(part[:1].upper() + part[1:] for part in action.split("_"))


def _module(name: str) -> ModuleType | None:
    """A module, or None where there is none of this name; an import that fails inside it is not hidden."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            return None
        raise


def _sentence(mistake: "ErrorDetails", node: "Node") -> str:
    """One mistake: its place, and what is wrong; never the value itself."""
    fields = {field.alias or name for name, field in node.model_fields.items()}
    where = _place(mistake["loc"])
    match mistake["type"]:
        case "missing":
            return f"{where}: is missing"
        case "extra_forbidden":
            close = _alike(str(mistake["loc"][-1]), fields) if len(mistake["loc"]) == 1 else None
            return f"{where}: is not a parameter of this node" + (f"; did you mean {close}?" if close else "")
        case "value_error":
            return f"{where}: {mistake['msg'].removeprefix('Value error, ')}"
        case _:
            return f"{where}: {mistake['msg'][:1].lower()}{mistake['msg'][1:200]}".replace("input should", "should")


def _alike(word: str, known: Iterable[str]) -> str | None:
    """The known word that comes closest, if one comes close."""
    from difflib import get_close_matches  # imported late: only mistakes need it

    return next(iter(get_close_matches(word[:80], known, n=1)), None)


def _place(location: tuple[int | str, ...]) -> str:
    """Where a mistake stands, seen from its step: `with.blocks[2].text`."""
    return "with" + "".join(f"[{part}]" if isinstance(part, int) else f".{str(part)[:60]}" for part in location)

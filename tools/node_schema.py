"""Turn a node's parameters into plain JSON Schema: no references, no titles, no null beside every optional type."""

import json
import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel

from tools.field_docs import field_docs

Schema = dict[str, Any]

_REFERENCE = re.compile(r'"#/\$defs/([^"]+)"')


def parameter_schema(model: type[BaseModel]) -> Schema:
    """The schema of a model's fields, each with the sentence under it as `description`.

    An optional `T | None` is T with `"default": null, "optional": true`.
    """
    whole = model.model_json_schema(by_alias=True)
    docs = _all_docs(model)
    definitions: Mapping[str, Schema] = whole.get("$defs", {})
    schema = _plain(whole, definitions, docs)
    return {
        "type": "object",
        "properties": schema.get("properties", {}),
        "required": schema.get("required", []),
        "additionalProperties": schema.get("additionalProperties", False),
    }


def _all_docs(model: type[BaseModel]) -> dict[str, dict[str, str]]:
    """The field docs of a model and of every model within it, by class name."""
    found: dict[str, dict[str, str]] = {}
    waiting = [model]
    while waiting:
        current = waiting.pop()
        if current.__name__ not in found:
            found[current.__name__] = field_docs(current)
            waiting += [inner for field in current.model_fields.values() for inner in _models_in(field.annotation)]
    return found


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """The models that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _plain(schema: Schema, definitions: Mapping[str, Schema], docs: Mapping[str, Mapping[str, str]]) -> Schema:
    """The same schema without references (a model within itself is cut), titles and null branches."""
    schema = _without_null(schema)
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        if name not in definitions:  # within itself: one level is shown, further ones are any object
            return {"type": "object", **rest}
        others = definitions
        if _reaches(name, name, definitions):
            others = {key: value for key, value in definitions.items() if not _reaches(key, key, definitions)}
        return _plain({**definitions[name], **rest}, others, docs)
    plain: Schema = {}
    for key, value in schema.items():
        match key:
            case "$defs" | "title":
                continue
            case "properties":
                own = docs.get(schema.get("title", ""), {})
                plain[key] = {
                    name: _described(_plain(part, definitions, docs), own.get(name)) for name, part in value.items()
                }
            case "items" | "additionalProperties" if isinstance(value, dict):
                plain[key] = _plain(value, definitions, docs)  # pyright: ignore[reportUnknownArgumentType]
            case "discriminator":
                continue
            case "anyOf" | "oneOf":  # one word for both: where a model within itself is cut, branches may overlap
                branches = [_plain(part, definitions, docs) for part in value]
                plain["anyOf"] = [branch for number, branch in enumerate(branches) if branch not in branches[:number]]
            case "allOf" | "prefixItems":
                plain[key] = [_plain(part, definitions, docs) for part in value]
            case _:
                plain[key] = value
    return plain


def _reaches(start: str, goal: str, definitions: Mapping[str, Schema]) -> bool:
    """Whether a definition refers, directly or through others, to another."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        named = set(_REFERENCE.findall(json.dumps(definitions.get(waiting.pop(), {})))) - seen
        if goal in named:
            return True
        seen |= named
        waiting += named
    return False


def _without_null(schema: Schema) -> Schema:
    """`T | None` as T that is optional."""
    branches: list[Schema] = schema.get("anyOf", [])
    kept = [branch for branch in branches if branch != {"type": "null"}]
    if len(kept) == len(branches):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if len(kept) == 1:
        return {**kept[0], **rest, "optional": True}
    return {**rest, "anyOf": kept, "optional": True}


def _described(schema: Schema, sentence: str | None) -> Schema:
    """The sentence first, then the rest."""
    if sentence is None:
        return schema
    rest = {key: value for key, value in schema.items() if key != "description"}
    return {"description": sentence, **rest}

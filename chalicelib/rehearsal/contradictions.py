"""Where a value contradicts the JSON Schema of what a node gives. A mock may leave out what nobody reads."""

from collections.abc import Iterator, Mapping

from chalicelib.flow.findings import Finding, did_you_mean, either, shown
from chalicelib.flow.inputs import KINDS
from chalicelib.flow.values import Json, Pointer


def contradictions(schema: Json, value: Json, pointer: Pointer, uses: str) -> Iterator[Finding]:
    """Every place below `pointer` at which a value is what the node `uses` never gives.

    What is declared and not there is no contradiction: a flow that reads it finds nothing, and says so when it runs.
    """
    if not isinstance(schema, dict) or not schema:
        return
    branches = schema.get("anyOf", schema.get("oneOf"))
    if isinstance(branches, list):
        found = [list(contradictions(branch, value, pointer, uses)) for branch in branches]
        if found and all(found):
            # The nearest miss says most: the branch of the right kind, if there is one.
            yield from min(found, key=lambda each: (each[0].pointer == pointer, len(each)))
        return
    kinds = schema.get("type")
    wanted = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]
    if wanted and not any(_is(value, kind) for kind in wanted):
        gives = either([KINDS.get(kind, kind) for kind in wanted])
        yield Finding(pointer, f"`{uses}` gives {gives} here, never {shown(value)}.", "Let the mock give the same.")
        return
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(choices, list) and not any(_same(value, choice) for choice in choices):
        known = ", ".join(str(choice) for choice in choices)
        yield Finding(pointer, f"`{uses}` never gives {shown(value)} here.", f"It gives one of these: {known}.")
    if isinstance(value, dict):
        yield from _in_object(schema, value, pointer, uses)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from contradictions(schema.get("items"), item, (*pointer, index), uses)


def _in_object(schema: Mapping[str, Json], value: Mapping[str, Json], pointer: Pointer, uses: str) -> Iterator[Finding]:
    declared = schema.get("properties")
    properties: Mapping[str, Json] = declared if isinstance(declared, dict) else {}
    others = schema.get("additionalProperties")
    for name, item in value.items():
        at = (*pointer, name)
        if name in properties:
            yield from contradictions(properties[name], item, at, uses)
        elif others is False:
            known = f"It gives {', '.join(properties)}." if properties else "It gives an empty object."
            what = f"What `{uses}` gives has no field `{name[:60]}`.{did_you_mean(name, properties)}"
            yield Finding(at, what, known, at_key=True)
        else:
            yield from contradictions(others, item, at, uses)


def _is(value: Json, kind: str) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            )
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return True


def _same(value: Json, choice: Json) -> bool:
    return value == choice and isinstance(value, bool) == isinstance(choice, bool)

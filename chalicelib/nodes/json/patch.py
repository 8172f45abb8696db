"""`json.patch`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Anything
from chalicelib.kit.values import Failed, Failure, Json
from chalicelib.nodes.json.editing import Parts, count_values, put_in, removed, replaced, taken
from chalicelib.nodes.json.pointers import read_pointer
from chalicelib.nodes.json.sameness import is_same
from chalicelib.nodes.json.texts import DEEPEST, is_deeper

_MOST_COPIED = 1_000_000
"""More values than this are not copied: copying a value into itself doubles it each time."""


class Operation(BaseModel):
    """One change, as RFC 6902 writes it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    op: Literal["add", "remove", "replace", "move", "copy", "test"]
    """What to do; `test` fails the step unless the value there is the one given."""
    path: str
    """Where, as a JSON Pointer; `-` after a list means behind its end."""
    value: Anything = None
    """The value, for `add`, `replace` and `test`."""
    source: str | None = Field(default=None, alias="from")
    """Where from, for `move` and `copy`."""

    def carry_out(self, value: Json) -> Json:
        """The changed value; LookupError or ValueError, with a sentence, where the change does not apply."""
        path = read_pointer(self.path)
        match self.op:
            case "add":
                return put_in(value, path, self._given())
            case "replace":
                return replaced(value, path, self._given())
            case "remove":
                return removed(value, path)
            case "copy":
                return put_in(value, path, taken(value, self._from()))
            case "move":
                source = self._from()
                if source == path[: len(source)] and source != path:
                    raise ValueError("a value cannot be moved into itself")
                return put_in(removed(value, source), path, taken(value, source))
            case "test":
                if not is_same(taken(value, path), self._given()):
                    raise LookupError("the value there is another one")
                return value

    def count(self, value: Json, limit: int) -> int:
        """How many values a `copy` copies; counting stops beyond the limit."""
        return count_values(taken(value, self._from()), limit)

    def _given(self) -> Json:
        if "value" not in self.model_fields_set:
            raise ValueError("it needs a `value`")
        return self.value

    def _from(self) -> Parts:
        if self.source is None:
            raise ValueError("it needs a `from`")
        return read_pointer(self.source)


class Patch(Action):
    """Change a value by a list of operations (JSON Patch, RFC 6902). All of them apply, or the step fails."""

    example = Example(
        given={
            "value": {"lines": [{"sku": "a"}], "note": "x"},
            "operations": [
                {"op": "test", "path": "/note", "value": "x"},
                {"op": "add", "path": "/lines/-", "value": {"sku": "b"}},
                {"op": "replace", "path": "/lines/0/sku", "value": "c"},
                {"op": "move", "from": "/note", "path": "/remark"},
            ],
        },
        returns={"lines": [{"sku": "c"}, {"sku": "b"}], "remark": "x"},
    )

    value: Anything
    """The value to change."""
    operations: list[Operation]
    """The changes, in order: `{op, path, value}` or `{op, from, path}`."""

    def run(self) -> Json:
        """The changed value; fails with `json_patch` where an operation does not apply."""
        changed: Json = self.value
        copied = 0
        for number, operation in enumerate(self.operations):
            try:
                if operation.op == "copy":
                    copied += operation.count(changed, _MOST_COPIED)
                changed = operation.carry_out(changed)
            except (LookupError, ValueError) as error:
                reason = error.args[0]
                return Failed(
                    Failure("json_patch", f"operations[{number}], `{operation.op}`, does not apply: {reason}.")
                )
            if copied > _MOST_COPIED:
                return Failed(Failure("json_patch", f"More than {_MOST_COPIED} values would be copied."))
        if is_deeper(changed, DEEPEST):
            return Failed(Failure("json_patch", f"The result is nested deeper than {DEEPEST} levels."))
        return changed

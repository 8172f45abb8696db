"""`json.get`."""

from chalicelib.errors import ParameterError
from chalicelib.flow.paths import MISSING
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Anything
from chalicelib.kit.values import Failed, Failure, Json
from chalicelib.nodes.json.pointers import follow, read_pointer


class Get(Action):
    """Take one value out of another by a JSON Pointer (RFC 6901), where the place is only known at run time.

    A place known in advance is simpler as an expression: `${ steps.order.lines[0].sku }`.
    """

    example = Example(given={"value": {"lines": [{"sku": "a"}]}, "pointer": "/lines/0/sku"}, returns="a")
    more_examples = (
        Example(
            given={"value": {"a/b": {"m~n": None}}, "pointer": "/a~1b/m~0n", "default": 1},
            returns=None,
            about="Slashes and tildes inside names; null is a value",
        ),
        Example(given={"value": {}, "pointer": "/x", "default": 0}, returns=0, about="With a value for nothing"),
    )

    value: Anything
    """The value to look into."""
    pointer: str
    """The way there, such as `/lines/0/sku`; empty means all of it."""
    default: Anything = None
    """What to return where nothing lies there; left out, that fails the step."""

    def run(self) -> Json:
        """The value found; fails with `json_missing` where there is none and no default."""
        try:
            found = follow(self.value, read_pointer(self.pointer))
        except ValueError as error:
            raise ParameterError(f"`pointer` is not a JSON Pointer: {error}.") from error
        if found is not MISSING:
            return found
        if "default" in self.model_fields_set:
            return self.default
        return Failed(Failure("json_missing", "Nothing lies where the pointer leads. Give a `default` if that may be."))

"""`json.stringify`."""

import json
from typing import Annotated

from pydantic import Field

from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Anything
from chalicelib.kit.values import Failed, Failure, Json
from chalicelib.nodes.json.texts import DEEPEST, is_deeper


class Stringify(Action):
    """Write a value as JSON text."""

    example = Example(given={"value": {"name": "Zoë", "n": [1, None]}}, returns='{"name":"Zoë","n":[1,null]}')
    more_examples = (
        Example(
            given={"value": {"b": 1, "a": {}}, "indent": 2, "sort_keys": True},
            returns='{\n  "a": {},\n  "b": 1\n}',
            about="For people to read",
        ),
    )

    value: Anything
    """The value."""
    indent: Annotated[int, Field(ge=0, le=8)] = 0
    """How far each level is indented; 0 writes everything on one line."""
    sort_keys: bool = False
    """Whether to write the keys of objects in alphabetical order."""
    ascii_only: bool = False
    """Whether to escape everything outside ASCII."""

    def run(self) -> Json:
        """The text; fails with `json_invalid` where a value cannot be written."""
        if is_deeper(self.value, DEEPEST):
            return Failed(Failure("json_invalid", f"The value is nested deeper than {DEEPEST} levels."))
        try:
            text = json.dumps(
                self.value,
                ensure_ascii=self.ascii_only,
                allow_nan=False,
                sort_keys=self.sort_keys,
                indent=self.indent or None,
                separators=(",", ": ") if self.indent else (",", ":"),
            )
            text.encode()
        except UnicodeEncodeError:
            return Failed(Failure("json_invalid", "The value has text with a lone surrogate: say `ascii_only`."))
        except (ValueError, TypeError):
            return Failed(Failure("json_invalid", "The value has a number that JSON cannot write."))
        return text

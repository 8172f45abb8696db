"""`yaml.format`."""

from typing import Annotated

from pydantic import Field

from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Anything
from chalicelib.kit.values import Failed, Failure
from chalicelib.kit.values import Json as Answer
from chalicelib.nodes.yaml.writing import UnfitError, write


class Format(Action):
    """Write a value as YAML that every reader takes for the same value.

    Text that some reader would take for something else (`no`, `010`, a date) is quoted; text of several lines is a
    block. `yaml.parse` gives the same value back.
    """

    example = Example(
        given={"value": {"name": "web", "ports": [80, 443], "zip": "010", "answer": "no", "note": "two\nlines\n"}},
        returns='name: web\nports:\n  - 80\n  - 443\nzip: "010"\nanswer: "no"\nnote: |\n  two\n  lines\n',
    )
    more_examples = (
        Example(
            given={"value": [{"a": 1, "b": {}}, [], [[1], None]]},
            returns="- a: 1\n  b: {}\n- []\n- - - 1\n  - null\n",
            about="Lists and objects inside lists",
        ),
    )

    value: Anything
    """The value."""
    indent: Annotated[int, Field(ge=2, le=8)] = 2
    """How far each level is indented."""

    def run(self) -> Answer:
        """The YAML text; fails with `yaml_invalid` where a value cannot be written."""
        value: Json = self.value
        try:
            return write(value, self.indent)
        except UnfitError as error:
            return Failed(Failure("yaml_invalid", f"The value cannot be written as YAML: {error}."))

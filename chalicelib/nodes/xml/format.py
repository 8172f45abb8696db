"""`xml.format`."""

from typing import Annotated

from pydantic import Field

from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import AnyObject
from chalicelib.kit.values import Failed, Failure, Json
from chalicelib.nodes.xml.writing import UnfitError, write


class Format(Action):
    """Write an object with one field as an XML document.

    Fields named `@name` become attributes, `#text` the element's text, a list repeats its element, null is an empty
    element. Everything else is escaped.
    """

    example = Example(
        given={
            "value": {"order": {"@id": 7, "line": [{"@sku": "a", "#text": 2}, {"@sku": "b&c"}], "note": None}},
            "declaration": False,
        },
        returns='<order id="7"><line sku="a">2</line><line sku="b&amp;c"/><note/></order>',
    )
    more_examples = (
        Example(
            given={"value": {"a": {"b": "1 < 2", "c": True}}, "indent": 2},
            returns='<?xml version="1.0" encoding="UTF-8"?>\n<a>\n  <b>1 &lt; 2</b>\n  <c>true</c>\n</a>\n',
            about="For people to read",
        ),
    )

    value: AnyObject
    """The data: one field, which is the document's element."""
    indent: Annotated[int, Field(ge=0, le=8)] = 0
    """How far each level is indented; 0 writes everything on one line."""
    declaration: bool = True
    """Whether to begin with `<?xml version="1.0" encoding="UTF-8"?>`."""

    def run(self) -> Json:
        """The XML text; fails with `xml_invalid` where something cannot be written as XML."""
        try:
            return write(self.value, indent=self.indent, has_declaration=self.declaration)
        except UnfitError as error:
            return Failed(Failure("xml_invalid", f"The value cannot be written as XML: {error}."))

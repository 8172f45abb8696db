"""`xml.parse`."""

from typing import Literal
from xml.parsers import expat

from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText
from chalicelib.kit.values import Failed, Failure, Json
from chalicelib.nodes.xml.building import Builder, RefusedError


class Parse(Action):
    """Read XML text as an object with one field, the document's element.

    Attributes become `@name`, text `#text`, elements of one name a list where there are several. All values are text.
    Entities are refused, so that a document can neither grow beyond measure nor read files.
    """

    example = Example(
        given={"text": '<order id="7"><line sku="a">2</line><line sku="b">1</line><note/></order>'},
        returns={"order": {"@id": "7", "line": [{"@sku": "a", "#text": "2"}, {"@sku": "b", "#text": "1"}], "note": ""}},
    )
    more_examples = (
        Example(
            given={
                "text": '<s:r xmlns:s="urn:x"><s:item>1</s:item></s:r>',
                "prefixes": "drop",
                "force_list": ["item"],
            },
            returns={"r": {"item": ["1"]}},
            about="A list even of one, names without their prefix",
        ),
    )

    text: LongText
    """The XML text."""
    force_list: list[str] = []
    """Names of elements that are a list even where there is one; as they are called in the result."""
    attributes: Literal["keep", "drop"] = "keep"
    """Whether attributes become fields."""
    prefixes: Literal["keep", "drop"] = "keep"
    """Whether names keep their namespace prefix; dropped, the declarations (`xmlns`) go too."""
    trim: bool = True
    """Whether to take white space off both ends of text; text of nothing else is never kept beside elements."""

    def run(self) -> Json:
        """The data; fails with `xml_invalid`, and where in the text, if it is not XML."""
        builder = Builder(
            force_list=frozenset(self.force_list),
            keep_attributes=self.attributes == "keep",
            keep_prefixes=self.prefixes == "keep",
            trim=self.trim,
        )
        try:
            return builder.read(self.text)
        except expat.ExpatError as error:
            said = expat.errors.messages.get(error.code, "not well-formed")
            place = f"line {error.lineno}, column {error.offset + 1}"
            return Failed(Failure("xml_invalid", f"The text is not XML: {said} at {place}."))
        except RefusedError as error:
            return Failed(Failure("xml_invalid", f"The text is not taken: {error}."))
        except UnicodeEncodeError:
            return Failed(Failure("xml_invalid", "The text has a lone surrogate, which no text in Unicode has."))

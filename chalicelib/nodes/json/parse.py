"""`json.parse`."""

from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText
from chalicelib.kit.values import Failed, Failure, Json
from chalicelib.nodes.json.texts import read


class Parse(Action):
    """Read JSON text, such as a language model's answer, as a value.

    Whole numbers of any size stay exact. Of a key that occurs twice the last one counts.
    """

    example = Example(
        given={"text": '{"id": 9007199254740993, "tags": ["a"]}'}, returns={"id": 9007199254740993, "tags": ["a"]}
    )
    more_examples = (
        Example(given={"text": "Sure:\n```json\n[1, 2]\n```", "fenced": True}, returns=[1, 2], about="From a chat"),
    )

    text: LongText
    """The JSON text."""
    fenced: bool = False
    """Whether to read only what stands in the first code fence (```), where there is one."""

    def run(self) -> Json:
        """The value; fails with `json_invalid`, and where in the text, if it is not JSON."""
        try:
            return read(_fenced(self.text) if self.fenced else self.text)
        except ValueError as error:
            return Failed(Failure("json_invalid", f"The text is not JSON: {error}."))


def _fenced(text: str) -> str:
    _, fence, rest = text.partition("```")
    if not fence:
        return text
    inside, _, _ = rest.partition("```")
    # The fence's first line names a language.
    language, _, body = inside.partition("\n")
    return body if language.strip().isalnum() or not language.strip() else inside

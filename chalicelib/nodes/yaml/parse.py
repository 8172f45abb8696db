"""`yaml.parse`."""

from typing import Literal

from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText
from chalicelib.kit.values import Failed, Failure, Json


class Parse(Action):
    """Read YAML text as a value.

    Only JSON numbers, `true`, `false` and `null` are not text: dates, `010` and `no` stay as written. Tags are refused,
    so is a key that occurs twice; anchors, aliases and merge keys (`<<`) are followed within bounds.
    """

    example = Example(
        given={"text": "name: web\nports: [80, 443]\nzip: 010\nday: 2026-11-20\nnote: |\n  two\n  lines\n"},
        returns={"name": "web", "ports": [80, 443], "zip": "010", "day": "2026-11-20", "note": "two\nlines\n"},
    )
    more_examples = (
        Example(
            given={"text": "a: 1\n---\n- x\n- null\n", "documents": "all"},
            returns=[{"a": 1}, ["x", None]],
            about="Several documents",
        ),
        Example(
            given={"text": "base: &b {cpu: 1, ram: 2}\nweb:\n  <<: *b\n  ram: 4\n"},
            returns={"base": {"cpu": 1, "ram": 2}, "web": {"cpu": 1, "ram": 4}},
            about="Anchors and merge keys",
        ),
    )

    text: LongText
    """The YAML text."""
    documents: Literal["one", "all"] = "one"
    """Whether there is one document, or a list of all of them is wanted."""

    def run(self) -> Json:
        """The value; fails with `yaml_invalid`, and where in the text, if it is not YAML that is taken."""
        from chalicelib.nodes.yaml.building import RefusedError, read  # imported late: ruamel is heavy

        try:
            documents = read(self.text)
        except RefusedError as error:
            return Failed(Failure("yaml_invalid", f"The text is not taken as YAML: {error}."))
        if self.documents == "all":
            return documents
        if len(documents) > 1:
            return Failed(Failure("yaml_invalid", "The text holds several documents. Say `documents: all`."))
        return documents[0] if documents else None

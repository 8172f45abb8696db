"""The answer to whoever started the execution."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from chalicelib.kit.action import Control, Example
from chalicelib.kit.fields import Anything, FileReference, LongText
from chalicelib.kit.headers import checked_headers, header_text
from chalicelib.kit.outputs import ANYTHING, TEXT, TEXTS_BY_NAME, WHOLE, shape
from chalicelib.kit.values import Json, Moment, Outcome, Succeeded


def _plain(text: str) -> str:
    """A header's value."""
    return header_text("content-type", text)


class Respond(Control):
    """Answer the webhook that started this execution, where its trigger says `respond: step`.

    The first `respond` step that is done answers; the execution goes on. The value is
    `{"status", "headers", "as", "body"}`, `as` being `json`, `text`, `file` or `nothing`.
    """

    output = shape(status=WHOLE, headers=TEXTS_BY_NAME, body=ANYTHING, **{"as": TEXT})
    example = Example(
        given={"status": 404, "json": {"error": "low score"}},
        returns={
            "status": 404,
            "headers": {"content-type": "application/json"},
            "as": "json",
            "body": {"error": "low score"},
        },
    )
    more_examples = (
        Example(
            given={"text": "<p>Thanks</p>", "content_type": "text/html; charset=utf-8"},
            returns={
                "status": 200,
                "headers": {"content-type": "text/html; charset=utf-8"},
                "as": "text",
                "body": "<p>Thanks</p>",
            },
        ),
        Example(
            given={"status": 302, "headers": {"Location": "https://shop.example/thanks"}},
            returns={
                "status": 302,
                "headers": {"location": "https://shop.example/thanks"},
                "as": "nothing",
                "body": None,
            },
        ),
    )

    status: Annotated[int, Field(ge=200, le=599)] = 200
    """The status code."""
    headers: Annotated[dict[str, Any], AfterValidator(checked_headers)] = {}
    """Further headers, by name."""
    json_: Anything = Field(default=None, alias="json")
    """The body as JSON: any value."""
    text: LongText | None = None
    """The body as text, instead of `json`."""
    file: FileReference | None = None
    """The body as a file, instead of `json`."""
    content_type: Annotated[str, AfterValidator(_plain)] | None = None
    """The body's content type, where it is not plain from the body."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("json", "text", "file") if (f"{name}_" if name == "json" else name) in self._given]
        if len(given) > 1:
            raise ValueError(f"takes one body, not {' and '.join(given)}")
        if given and (self.status in {204, 205, 304}):
            raise ValueError(f"an answer with status {self.status} has no body; leave out {given[0]}")
        return self

    @property
    def _given(self) -> set[str]:
        """The fields that were given a value; `json: null` is one."""
        return {name for name in self.model_fields_set if name == "json_" or getattr(self, name) is not None}

    def decide(self, moment: Moment) -> Outcome:
        """The answer, as a value."""
        kind, body, content_type = self._body()
        headers = dict(self.headers)
        if self.content_type or (content_type and "content-type" not in headers):
            headers["content-type"] = self.content_type or content_type
        return Succeeded({"status": self.status, "headers": headers, "as": kind, "body": body})

    def _body(self) -> tuple[str, Json, str]:
        """How the body is written, the body, and its usual content type."""
        if "json_" in self._given:
            return "json", self.json_, "application/json"
        if self.text is not None:
            return "text", self.text, "text/plain; charset=utf-8"
        if self.file is not None:
            return "file", self.file, str(self.file.get("type") or "application/octet-stream")
        return "nothing", None, ""

"""OpenAI, and every service that speaks its chat completions."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.answers import as_object, at, json_of, read_json
from chalicelib.kit.fields import AnyObject, Anything, LongText
from chalicelib.kit.outputs import ANYTHING, OBJECT, TEXT, TEXT_OR_NULL, shape
from chalicelib.kit.service import Service
from chalicelib.kit.values import Failed, Failure, Json, Outcome, Request, Response

OPENAI = Service(
    "OpenAI",
    base_url="https://api.openai.com/v1",
    credential="bearer",
    docs="https://platform.openai.com/docs/api-reference/chat/create",
)

_CITY: Final[Mapping[str, Json]] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
"""The shape of the example's answer."""


class Message(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(frozen=True, extra="allow")

    role: Literal["system", "developer", "user", "assistant"]
    """Who says it."""
    content: Anything
    """What is said: text, or a list of content parts."""


class Chat(Action):
    """Ask a language model, and get its answer as text, or as JSON of a shape you give.

    The value is `{"text", "data", "message", "finish_reason", "usage", "model"}`; `data` is the parsed answer where
    `schema` or `json` asks for JSON. Any service with the same interface works: give the credential a `base_url`.
    """

    service = OPENAI
    effect = "at_least_once"
    output = shape(
        text=TEXT,
        data=ANYTHING,
        message=OBJECT,
        finish_reason=TEXT_OR_NULL,
        usage={"type": ["object", "null"]},
        model=TEXT,
    )
    example = Example(
        given={"model": "gpt-5.4-mini", "system": "Be brief.", "prompt": "Name a colour.", "temperature": 0},
        sends=(
            Request(
                "POST",
                "/chat/completions",
                json={
                    "model": "gpt-5.4-mini",
                    "messages": [
                        {"role": "system", "content": "Be brief."},
                        {"role": "user", "content": "Name a colour."},
                    ],
                    "temperature": 0.0,
                },
            ),
        ),
        receives=(
            Response.of(
                {
                    "model": "gpt-5.4-mini-2026-03-05",
                    "choices": [{"message": {"role": "assistant", "content": "Blue."}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 19, "completion_tokens": 3, "total_tokens": 22},
                }
            ),
        ),
        returns={
            "text": "Blue.",
            "data": None,
            "message": {"role": "assistant", "content": "Blue."},
            "finish_reason": "stop",
            "usage": {"prompt_tokens": 19, "completion_tokens": 3, "total_tokens": 22},
            "model": "gpt-5.4-mini-2026-03-05",
        },
    )
    more_examples = (
        Example(
            given={
                "model": "gpt-5.4-mini",
                "prompt": "Where is Ann from? Ann lives in Ulm.",
                "schema": _CITY,
            },
            sends=(
                Request(
                    "POST",
                    "/chat/completions",
                    json={
                        "model": "gpt-5.4-mini",
                        "messages": [{"role": "user", "content": "Where is Ann from? Ann lives in Ulm."}],
                        "response_format": {
                            "type": "json_schema",
                            "json_schema": {
                                "name": "answer",
                                "strict": True,
                                "schema": _CITY,
                            },
                        },
                    },
                ),
            ),
            receives=(
                Response.of(
                    {
                        "model": "gpt-5.4-mini",
                        "choices": [
                            {"message": {"role": "assistant", "content": '{"city":"Ulm"}'}, "finish_reason": "stop"}
                        ],
                    }
                ),
            ),
            returns={
                "text": '{"city":"Ulm"}',
                "data": {"city": "Ulm"},
                "message": {"role": "assistant", "content": '{"city":"Ulm"}'},
                "finish_reason": "stop",
                "usage": None,
                "model": "gpt-5.4-mini",
            },
            about="An answer of a given shape.",
        ),
    )

    model: str
    """The model's name."""
    prompt: LongText | None = None
    """What to ask; with `messages`, said after them."""
    system: LongText | None = None
    """How the model is to behave; said before everything else."""
    messages: list[Message] | None = None
    """The conversation so far."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """How varied the answer is, from 0 to 2; some models take only their default."""
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    """Only the likeliest words that together have this probability."""
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    """The most tokens of the answer, thinking included."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """The same under its older name, for services that know only that."""
    schema_: AnyObject | None = Field(default=None, alias="schema")
    """The JSON Schema of the answer; it is parsed into `data`."""
    strict: bool = True
    """Whether the answer follows `schema` exactly; services that cannot want false."""
    json_: bool = Field(default=False, alias="json")
    """Whether to ask for JSON without a schema; the prompt must say so too."""
    stop: list[str] | None = None
    """Texts before which the answer ends."""
    seed: int | None = None
    """A number that makes answers more alike."""
    reasoning_effort: str | None = None
    """How much reasoning models think, such as `low`, `medium`, `high`."""
    user: str | None = None
    """A stable name for your user, for the service's abuse checks."""
    extra: AnyObject | None = None
    """Further fields of the request, for what a service adds."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.prompt and not self.messages:
            raise ValueError("needs `prompt` or `messages`")
        if self.json_ and self.schema_ is not None:
            raise ValueError("takes `schema` or `json`, not both")
        if self.max_tokens and self.max_completion_tokens:
            raise ValueError("takes `max_completion_tokens` or `max_tokens`, not both")
        return self

    def run(self) -> Conversation:
        """One question, one answer."""
        response: Response = yield Request("POST", "/chat/completions", json=self._body())
        return self._answer(json_of(response))

    def _body(self) -> dict[str, Json]:
        """The request's body."""
        messages: list[Json] = [{"role": "system", "content": self.system}] if self.system else []
        messages += [message.model_dump() for message in self.messages or []]
        if self.prompt:
            messages.append({"role": "user", "content": self.prompt})
        plain = {
            "temperature",
            "top_p",
            "max_completion_tokens",
            "max_tokens",
            "stop",
            "seed",
            "reasoning_effort",
            "user",
        }
        body: dict[str, Json] = {"model": self.model, "messages": messages}
        body |= self.model_dump(include=plain, exclude_none=True)
        if self.schema_ is not None:
            shape = {"name": "answer", "strict": self.strict, "schema": self.schema_}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        elif self.json_:
            body["response_format"] = {"type": "json_object"}
        return body | dict(self.extra or {})

    def _answer(self, answer: Json) -> Json | Outcome:
        """What the model said; a failure where it is not what was asked for."""
        message = as_object(at(answer, "choices.0.message"))
        if not message:
            return _failed("answer", "The answer holds no message.")
        if message.get("refusal"):
            return _failed("refused", f"The model refused: {str(message['refusal'])[:300]}")
        text, finish_reason = message.get("content") or "", at(answer, "choices.0.finish_reason")
        data: Json = None
        if self.schema_ is not None or self.json_:
            try:
                data = read_json(str(text).encode("utf-8", "replace"))
            except (ValueError, RecursionError):
                cut = " It was cut off: allow more tokens." if finish_reason == "length" else ""
                return _failed("answer", f"The model's answer is not JSON.{cut}")
        return {
            "text": text,
            "data": data,
            "message": dict(message),
            "finish_reason": finish_reason,
            "usage": at(answer, "usage"),
            "model": at(answer, "model") or self.model,
        }


def _failed(code: str, message: str) -> Failed:
    """A failure that asking again may or may not mend; nothing retries it by itself."""
    return Failed(Failure(code, message, sent="answered"))

"""The outside: a service that answers, counts what it was asked to do, and honours idempotency keys."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib import catalogue
from chalicelib.kit.action import EFFECT_OF_METHOD, Action, Conversation, Example
from chalicelib.kit.answers import json_of
from chalicelib.kit.service import Service
from chalicelib.kit.values import Json, Request
from chalicelib.ports import HttpAnswer, HttpRequest

ADDRESS = "https://api.example"
KEY_HEADER = "idempotency-key"
SERVICE = Service("Simulated", base_url=ADDRESS, idempotency_header=KEY_HEADER)
JSON_HEADERS = (("content-type", "application/json"),)


class Ask(Action):
    """Ask the simulated service, once or several times in one attempt; the value is its last answer."""

    service = SERVICE
    effect_by = "method"
    example = Example(given={"path": "/a"})

    method: str = "GET"
    path: str
    given: Any = None
    times: int = 1

    def run(self) -> Conversation:
        answer: Json = None
        for number in range(self.times):
            query: dict[str, Json] = {"ask": number} if self.times > 1 else {}
            body = {} if self.method == "GET" else {"json": {"given": self.given}}
            response = yield Request(self.method, self.path, query=query, **body)
            answer = json_of(response)
        return answer


ENTRY: dict[str, Json] = {
    "type": "sim.ask",
    "kind": "action",
    "effect": {"by": "method", "map": dict(EFFECT_OF_METHOD), "default": "GET"},
    "ports": ["done"],
    "ports_from": None,
    "credential": None,
    "parameters": {
        "type": "object",
        "properties": {
            "method": {"type": "string"},
            "path": {"type": "string"},
            "given": {"x-place": "untyped"},
            "times": {"type": "integer"},
        },
        "required": ["path"],
        "additionalProperties": False,
    },
    "formerly": [],
    "output": None,
    "not_built": {},
}

ENTRIES: Mapping[str, Any] = {**catalogue.entries(), "sim.ask": ENTRY}
"""The catalogue, and the one node that is only here."""


def build(uses: str, parameters: Mapping[str, Json]) -> Any:
    """As `catalogue.build`."""
    return Ask.model_validate(parameters) if uses == "sim.ask" else catalogue.build(uses, parameters)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is about, as its address says: `/<execution>/<step>/<fate>[/<turn>...][?ask=n]`."""

    execution: str
    step: str
    fate: str
    path: tuple[int, ...]
    ask: int

    @property
    def place(self) -> tuple[str, str, tuple[int, ...], int]:
        return self.execution, self.step, self.path, self.ask


def parse(request: HttpRequest) -> Asked:
    address, _, query = request.url.removeprefix(ADDRESS + "/").partition("?")
    execution, step, fate, *turns = address.split("/")
    return Asked(execution, step, fate, tuple(int(turn) - 100 for turn in turns), int(query.removeprefix("ask=") or 0))


def key_of(request: HttpRequest) -> str | None:
    return next((value for name, value in request.headers if name.lower() == KEY_HEADER), None)


@dataclass(slots=True)
class Outside:
    """The service. Every answer has a number of its own, so that a repeated read is another value."""

    numbers: int = 0
    requests: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    applied: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    """How often a place's effect would have taken place without idempotency keys."""
    known: dict[str, HttpAnswer] = field(default_factory=dict)
    """The answers given under an idempotency key."""

    def answer(self, request: HttpRequest, asked: Asked) -> HttpAnswer:
        """Do what is asked, and say so."""
        self.requests[asked.place] += 1
        times = self.requests[asked.place]
        match asked.fate:
            case "gone":
                return HttpAnswer(404, (), b"")
            case "busy" if times == 1:
                return HttpAnswer(503, (), b"")
            case "much" if times == 1:
                return HttpAnswer(429, (("retry-after", "90"),), b"")
        if request.method != "GET":
            self.applied[asked.place] += 1
        key = key_of(request)
        if key is not None and key in self.known:
            return self.known[key]
        self.numbers += 1
        said: dict[str, Any] = {"n": self.numbers}
        if asked.fate == "list":
            said["list"] = [self.numbers, self.numbers + 1, self.numbers % 3][: 1 + self.numbers % 3]
        if asked.fate == "echo":
            said["echo"] = dict(request.headers)
        answer = HttpAnswer(200, JSON_HEADERS, json.dumps(said).encode())
        if key is not None:
            self.known[key] = answer
        return answer

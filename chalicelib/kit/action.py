"""What a node is: an Action, a Control or a Trigger, with its parameters as its fields."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from chalicelib.kit.address import path_part
from chalicelib.kit.answers import json_of
from chalicelib.kit.service import Route, Service
from chalicelib.kit.values import Ask, Json, Moment, Outcome, Request, Succeeded

Conversation: TypeAlias = Generator[Ask, Any, Json | Outcome]
"""A node at work: it yields what it asks, is handed what came back, and returns its value."""

EffectName: TypeAlias = Literal["pure", "read", "idempotent", "at_least_once"]

EFFECT_OF_METHOD: Mapping[str, EffectName] = {
    "GET": "read",
    "HEAD": "read",
    "OPTIONS": "read",
    "PUT": "idempotent",
    "DELETE": "idempotent",
    "POST": "at_least_once",
    "PATCH": "at_least_once",
}
"""RFC 9110, section 9.2: which methods are safe, which idempotent."""


@dataclass(frozen=True, slots=True)
class Example:
    """A worked case: printed in the docs and run as a test."""

    given: Mapping[str, Json]
    sends: tuple[Ask, ...] = ()
    receives: tuple[Any, ...] = ()
    returns: Json = None
    port: str = "done"
    becomes: Succeeded | None = None
    """Of a step that waits: how it is left once what it waits for has come; only printed."""
    about: str = ""
    """What it shows, where that is not plain."""


class Action(BaseModel):
    """One thing a service, or a pure transform, can do. The fields are what the user fills in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: ClassVar[Service | None] = None
    route: ClassVar[Route | None] = None
    effect: ClassVar[EffectName | None] = None
    """None: as the route's method says (`EFFECT_OF_METHOD`); an action without a route is `pure`."""
    effect_by: ClassVar[str | None] = None
    """The parameter that holds the HTTP method, where that decides the effect (`http.request`)."""
    example: ClassVar[Example]
    more_examples: ClassVar[tuple[Example, ...]] = ()
    formerly: ClassVar[tuple[str, ...]] = ()
    """Types this node once had; flows that use them keep working."""
    output: ClassVar[Mapping[str, Json] | None] = None
    """JSON Schema of the value, where it is known."""

    def run(self) -> Conversation | Json:
        """Send the fields along the route and return the body. Override to say more.

        A pure transform returns its value at once; everything else is a generator. A value is any JSON, or an
        `Outcome` where the node itself decides (`Succeeded(value, port)`, `Failed(failure)`).
        """
        if self.route is None:
            raise TypeError(f"{type(self).__name__} has neither a route nor a run method")
        return along(self.route, self.model_dump(mode="json", exclude_none=True, by_alias=True))


def along(route: Route, values: Mapping[str, Json]) -> Conversation:
    """Send `values` along a route: path parts into the path, the rest as query or JSON body by the method."""
    named = {key for key in values if f"{{{key}}}" in route.path}
    path = route.path.format_map({key: path_part(values[key], key) for key in named})
    rest = {key: value for key, value in values.items() if key not in named}
    if route.method in {"GET", "HEAD", "DELETE"}:
        response = yield Request(route.method, path, query=rest)
    else:
        response = yield Request(route.method, path, json=rest)
    return json_of(response)


class Control(BaseModel):
    """A step that steers the flow rather than working for it: it decides, and touches nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ports: ClassVar[tuple[str, ...]] = ("done",)
    ports_from: ClassVar[str | None] = None
    """The parameter whose keys are further ports (`switch`: its `cases`)."""
    effect: ClassVar[EffectName] = "pure"
    example: ClassVar[Example]
    more_examples: ClassVar[tuple[Example, ...]] = ()
    formerly: ClassVar[tuple[str, ...]] = ()
    """Types this node once had; flows that use them keep working."""
    output: ClassVar[Mapping[str, Json] | None] = None
    """JSON Schema of the value, where it is known."""
    not_built: ClassVar[Mapping[str, str]] = {}
    """Parameters refused by name for now, each with the sentence that says so; `*` is the node itself."""

    def decide(self, moment: Moment) -> Outcome | Conversation:
        """What follows from the parameters, at this moment."""
        raise TypeError(f"{type(self).__name__} decides nothing by itself: the worker runs it")


class Trigger(BaseModel):
    """A way in. Its fields are what `with` holds; what it hands over is documented beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hands_over: ClassVar[Mapping[str, str]] = {}
    """The names below `trigger`, each with its sentence."""
    verifies: ClassVar[bool] = False
    """Whether `verify` must be written out."""
    formerly: ClassVar[tuple[str, ...]] = ()
    """Types this trigger once had; flows that use them keep working."""
    example: ClassVar[Mapping[str, Json]] = {}


Node: TypeAlias = type[Action] | type[Control] | type[Trigger]

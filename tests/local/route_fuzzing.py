"""Requests made from the OpenAPI document, valid ones and broken ones, sent to every route; every answer is checked.

What must hold of each answer: no 5xx; the status, the content type, the body and the headers are as described; an error
is problem+json, or a page; a request that breaks the description is refused. Routes that are added are in the document,
and so are tried without a change here.
"""

import contextlib
import random
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import schemathesis
from schemathesis import GenerationMode, checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup

from chalicelib.local.asgi import AsgiApp
from chalicelib.local.hosts import Hosts
from tests.api.house import KEYS, OPEN, SIGNED, STEPS, House
from tests.dev_server import CREDENTIAL, DevServer, dev_server

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
ECHO = 'flow: echo\ninputs: {a: {type: string, default: none}}\nsteps:\n  note: {uses: set, with: {value: "${ inputs.a }"}}\n'
WAITING = "flow: waiting\nsteps:\n  ask: {uses: approval, with: {ask: Ship it?, expires: 2d}}\n"
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@dataclass
class Told:
    """What came of it."""

    cases: Counter[str] = field(default_factory=Counter)
    """By who asked."""
    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)
    """By the route and the kind: the first message."""

    def lines(self) -> list[str]:
        """For people."""
        count = sum(self.cases.values())
        who = ", ".join(f"{number:,} as {name}" for name, number in self.cases.items())
        by_status = ", ".join(f"{status}: {number:,}" for status, number in sorted(self.statuses.items()))
        return [
            f"{count:,} requests to {len(self.operations)} operations ({who}); {len(self.problems)} problems",
            f"answers by status: {by_status}",
            *(f"{where}: {what}" for where, what in self.problems.items()),
        ]


@dataclass
class Place:
    """Where requests go, as whom, and names that exist there."""

    schema: Any
    who: str
    key: str | None
    known: Mapping[str, list[str]]
    base_url: str | None = None
    """None: in memory."""


def fuzz(place: Place, examples: int, seed: int, told: Told) -> None:
    """So many valid and so many broken requests to each operation."""
    for found in place.schema.get_all_operations():
        operation = found.ok()
        told.operations.add(operation.label)
        for mode in MODES if _can_be_broken(operation.definition.raw) else MODES[:1]:
            _of_operation(place, operation, mode, examples, seed, told)


def _can_be_broken(described: Mapping[str, Any]) -> bool:
    """Whether it says anything that a request can break: any text may stand in a path, and any bytes come to a hook."""
    content = described.get("requestBody", {}).get("content", {})
    return any(each.get("schema") for each in content.values()) or any(
        each.get("in") != "path" for each in described.get("parameters", ())
    )


def _of_operation(place: Place, operation: Any, mode: GenerationMode, examples: int, seed: int, told: Told) -> None:
    dice = random.Random(f"{seed} {operation.label} {mode} {place.who}")
    headers = {"Authorization": f"Bearer {place.key}"} if place.key is not None else {}

    def ask(case: Any) -> None:
        for name, values in place.known.items():
            if name in (case.path_parameters or {}) and dice.random() < 0.7:
                case.path_parameters[name] = dice.choice(values)
        _checked(case, headers, place, told)

    strategy = operation.as_strategy(generation_mode=mode)
    tried = hypothesis.given(case=strategy)(ask)
    tried = hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )(hypothesis.seed(seed)(tried))
    with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # nothing can be broken where nothing is asked for
        tried()


def _checked(case: Any, headers: Mapping[str, str], place: Place, told: Told) -> None:
    response = case.call(base_url=place.base_url, headers=dict(headers), timeout=20)
    told.cases[place.who] += 1
    told.statuses[response.status_code] += 1
    try:
        case.validate_response(response, checks=CHECKS)
    except FailureGroup as group:
        for each in group.exceptions:
            where = f"{case.operation.label}: {type(each).__name__} {response.status_code}"
            said = " ".join(str(each).split())[:300]
            told.problems.setdefault(where, f"{said} | {case.as_curl_command()[:400]} | {response.text[:200]}")
    if response.status_code >= 400 and response.headers.get("content-type", [""])[0].partition(";")[0] not in (
        "application/problem+json",
        "text/html",
    ):
        told.problems.setdefault(f"{case.operation.label}: an error that is none", response.text[:200])


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[tuple[DevServer, dict[str, list[str]]]]:
    """`penstock dev` with flows and executions in it, and the names of what there is."""
    flows = folder / "flows"
    flows.mkdir()
    for name, text in (
        ("echo", ECHO),
        ("waiting", WAITING),
        ("shop", SIGNED + STEPS),
        ("open", OPEN.replace("shop", "open") + STEPS),
    ):
        (flows / f"{name}.yaml").write_text(text)
    with dev_server(flows, folder / "data" / "store.db", variables={"PENSTOCK_CREDENTIAL_HOOK": CREDENTIAL}) as dev:
        started = [dev.ask("POST", f"/flows/{name}/run", json={"inputs": {}}).json() for name in ("echo", "waiting")]
        yield dev, _names(dev, [each["execution"] for each in started])


def _names(dev: DevServer, executions: list[str]) -> dict[str, list[str]]:
    versions = dev.ask("GET", "/flows/echo/versions").json()["items"]
    return {
        "flow": ["echo", "shop", "open"],  # not `waiting`: whoever starts it and waits would wait for long
        "id": executions,
        "version": [each["version"] for each in versions],
        "trigger": ["placed"],
        "step": ["ask", "note"],
        "type": ["csv.parse", "webhook"],
        "tenant": ["main"],
    }


def of_server(dev: DevServer, known: Mapping[str, list[str]]) -> list[Place]:
    """The server's routes with an admin's key and with none."""
    # Not by its address: the address that a description was read from is left out of what is tried.
    schema = schemathesis.openapi.from_dict(dev.ask("GET", "/openapi.json").json(), config=SchemathesisConfig())
    return [Place(schema, "admin", dev.key, known, dev.url), Place(schema, "nobody", None, known, dev.url)]


def of_memory() -> list[Place]:
    """The same API over memory, where there are keys of every role."""
    house = House()
    house.publish(SIGNED + STEPS)
    schema = schemathesis.openapi.from_asgi(
        "/api/v1/openapi.json",
        AsgiApp(house.api, house.clock, Hosts(("testserver",))),
        config=SchemathesisConfig(),
        headers={"authorization": f"Bearer {KEYS['viewer']}"},
    )
    known = {"flow": ["shop"], "trigger": ["placed"], "type": ["csv.parse"], "tenant": ["main"]}
    return [Place(schema, role, KEYS[role], known) for role in ("viewer", "operator", "editor")]


def everywhere(folder: Path, *, examples: int, seed: int) -> Told:
    """All routes, as everybody: `examples` valid and as many broken requests to each, fewer over memory."""
    told = Told()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with embedded(folder) as (dev, known):
            for place in of_server(dev, known):
                fuzz(place, examples if place.key else max(examples // 2, 1), seed, told)
            assert dev.ask("GET", "/health").json() == {"status": "ok"}
            if "Traceback" in dev.errors:
                told.problems["the server's log"] = dev.errors[-2000:]
        for place in of_memory():
            fuzz(place, max(examples // 3, 1), seed, told)
    return told

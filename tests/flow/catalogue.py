"""A small catalogue for the tests of the check and the plan: the nodes that the flows in `files/` use."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalicelib.flow.check import Report, check
from chalicelib.flow.plan import Plan
from chalicelib.flow.planning import make_plan
from chalicelib.flow.text import Document, read_yaml

FILES = Path(__file__).with_name("files")
FLOWS = sorted(path for path in FILES.glob("*.yaml") if not path.name.endswith(".test.yaml"))

TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
ANY = {"x-place": "untyped"}
ROWS = {"type": "array", "x-place": "list", "items": {}}
OBJECT = {"type": "object", "additionalProperties": True}
CONDITION = {"type": "boolean", "x-place": "condition"}
FILE = {"type": "object", "x-place": "file"}
DURATION = {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$", "widget": "duration"}
PAUSE = {**DURATION, "x-maximum": "366d"}
BY_METHOD = {
    "by": "method",
    "map": {"GET": "read", "HEAD": "read", "PUT": "idempotent", "DELETE": "idempotent", "POST": "at_least_once"},
    "default": "GET",
}


def entry(kind: str, properties: Mapping[str, Any], required: tuple[str, ...] = (), **rest: Any) -> dict[str, Any]:
    """A catalogue entry in the form that `make catalogue` writes."""
    parameters = {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": rest.pop("others", False),
    }
    usual = {
        "ports": ["done"],
        "ports_from": None,
        "effect": "pure",
        "credential": None,
        "formerly": [],
        "not_built": {},
    }
    return {"kind": kind, "parameters": parameters, **usual, **rest}


def action(effect: Any, credential: str | None, *required: str, **properties: Any) -> dict[str, Any]:
    """An action's entry."""
    return entry("action", properties, required, effect=effect, credential=credential)


HOOK = {
    "body": "",
    "headers": "",
    "query": "",
    "queries": "",
    "path": "",
    "method": "",
    "files": "",
    "name": "",
    "at": "",
}
METHODS = {"type": "array", "items": {"type": "string", "enum": ["GET", "POST", "PUT"]}, "x-one": True}

CATALOGUE: dict[str, Any] = {
    "webhook": entry("trigger", {"method": METHODS}, hands_over=HOOK, verifies=True, ports=[]),
    "schedule": entry(
        "trigger",
        {"cron": TEXT, "every": DURATION, "timezone": TEXT},
        hands_over={"name": "", "at": "", "previous": ""},
        ports=[],
    ),
    "manual": entry("trigger", {}, hands_over={"name": "", "at": ""}, ports=[]),
    "rss.new_items": entry("trigger", {"every": DURATION, "url": TEXT}, hands_over={"items": ""}, ports=[]),
    "set": entry("control", {}, others=True),
    "switch": entry(
        "control",
        {"cases": {"type": "object", "x-place": "cases", "additionalProperties": {"type": "boolean"}}},
        ("cases",),
        ports=["else"],
        ports_from="cases",
    ),
    "error": entry(
        "trigger",
        {"flows": {"type": "array", "items": TEXT, "x-one": True, "optional": True}},
        hands_over=dict.fromkeys(
            ("name", "at", "execution", "flow", "step", "code", "message", "url", "status"),
            "",
        ),
        ports=[],
    ),
    "approval": entry(
        "control",
        {"ask": TEXT, "expires": PAUSE, "by": {"type": "array", "items": TEXT, "x-place": "list"}},
        ("ask",),
        ports=["approved", "rejected", "expired"],
    ),
    "foreach": entry(
        "control",
        {
            "over": ROWS,
            "as": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$"},
            "batch": {"type": "integer", "minimum": 1, "optional": True},
            "concurrency": {"type": "integer", "minimum": 1, "maximum": 100},
            "pause": {**DURATION, "x-maximum": "15m"},
            "tolerate": {"anyOf": [WHOLE, TEXT]},
        },
        ("over",),
    ),
    "repeat": entry(
        "control",
        {"until": CONDITION, "every": PAUSE, "max": WHOLE, "collect": {"type": "boolean"}},
        ("until",),
    ),
    "wait": entry("control", {"for": PAUSE, "until": TEXT}),
    "callback": entry("control", {"expires": PAUSE, "heartbeat": PAUSE}, ports=["received", "expired"]),
    "call": entry(
        "control",
        {"flow": TEXT, "inputs": ANY, "wait": {"type": "boolean"}},
        ("flow",),
        effect="idempotent",
    ),
    "respond": entry(
        "control", {"status": {"type": "integer", "minimum": 200, "maximum": 599}, "json": ANY, "text": TEXT}
    ),
    "fail": entry("control", {"message": TEXT, "code": TEXT}, ("message",)),
    "http.request": action(
        BY_METHOD,
        "any",
        "url",
        method={"type": "string", "enum": ["GET", "HEAD", "POST", "PUT", "DELETE"], "default": "GET"},
        url=TEXT,
        query=OBJECT,
        headers=OBJECT,
        json=ANY,
    ),
    "http.download": action("read", "any", url=TEXT),
    "mail.send": action("at_least_once", "smtp", to=TEXT, subject=TEXT, text=TEXT),
    "slack.post_message": action("at_least_once", "bearer", "channel", "text", channel=TEXT, text=TEXT),
    "stripe.create_payment_intent": action("at_least_once", "bearer", amount=WHOLE, currency=TEXT),
    "stripe.create_refund": action("at_least_once", "bearer", payment_intent=TEXT, amount=WHOLE),
    "github.list_pull_request_files": action("read", "bearer", repository=TEXT, number=WHOLE),
    "github.create_comment": action("at_least_once", "bearer", repository=TEXT, number=WHOLE, body=TEXT),
    "anthropic.message": action("read", "header", model=TEXT, system=TEXT, prompt=TEXT),
    "openai.chat": action("read", "bearer", model=TEXT, prompt=TEXT),
    "s3.put_object": action("idempotent", "aws", bucket=TEXT, key=TEXT, file=FILE),
    "google_sheets.read_rows": action("read", "oauth", spreadsheet=TEXT, range=TEXT),
    "google_sheets.update_rows": action("at_least_once", "oauth", spreadsheet=TEXT, key=TEXT, rows=ROWS),
    "data.sort": {**action("pure", None, rows=ROWS), "formerly": ["data.order"]},
}


def document(text: str) -> Document:
    """A flow file; steps alone may be given, and are completed."""
    return read_yaml(text if "\nflow: " in f"\n{text}" else f"flow: order\n{text}", "order.yaml")


def checked(text: str) -> Report:
    """What the check says of a flow."""
    return check(document(text), CATALOGUE)


def problems(text: str) -> list[str]:
    """The lines a person reads."""
    return [str(problem) for problem in checked(text).problems]


def planned(text: str) -> Plan:
    """The plan of a flow without problems."""
    one = document(text)
    report = check(one, CATALOGUE)
    assert report.problems == ()
    return make_plan(one.data, CATALOGUE)


def order_intake() -> str:
    """The flow of the design's section 3."""
    return (FILES / "22-order-intake.yaml").read_text(encoding="utf-8")

"""Reads a flow's document into the model, and finds every mistake of shape on the way: unknown keys, wrong kinds, ids.

What cannot be read is left out of the model, so that the rest can still be checked; nothing is raised.
"""

import re
from collections.abc import Collection, Mapping
from datetime import timedelta

from chalicelib.errors import ExpressionError
from chalicelib.flow.dates import read_duration, zone_of
from chalicelib.flow.findings import Finding, did_you_mean, either, shown
from chalicelib.flow.model import FLOW_NAME, IDENTIFIER, NODE_TYPE, RESERVED, CapModel, FlowModel, TriggerModel
from chalicelib.flow.scanner import has_hole
from chalicelib.flow.values import Json, Pointer

FLOW_KEYS = (
    *("flow", "description", "timezone", "inputs", "vars", "triggers", "steps", "on_failure", "output"),
    *("concurrency", "deadline", "durability", "retention", "plugins"),
)
TRIGGER_KEYS = (*("uses", "with", "credential", "verify", "dedupe", "if", "inputs", "respond", "overlap", "catch_up"),)
DURABILITY = ("end", "barrier", "every")
RESPOND = ("accepted", "result", "step")

OVERLAP = ("allow", "skip", "queue")
CATCH_UP = ("none", "last", "all")
CAP_KEYS = ("max", "key")
MOST_AT_ONCE = 1000

LONGEST = timedelta(days=3660)
PIN = re.compile(r"[0-9a-f]{64}")


class Reader:
    """Reads values of a known kind out of a document and keeps what it finds wrong."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def refuse(self, pointer: Pointer, what: str, do: str = "", *, at_key: bool = False) -> None:
        """Keep one mistake."""
        self.findings.append(Finding(pointer, what, do, at_key=at_key))

    def map(self, value: Json, pointer: Pointer, what: str, example: str) -> dict[str, Json]:
        """A map, or an empty one and a finding."""
        if isinstance(value, dict):
            return value
        if isinstance(value, list) and pointer[-1:] in {("steps",), ("triggers",), ("on_failure",)}:
            key = _own_id(value)
            do = f"Take the `-` away and let each stand under its id: {key}:"
            self.refuse(pointer, f"{what} is a map, not a list.", do)
            return {}
        away = "Take the `-` away. " if isinstance(value, list) else ""
        self.refuse(pointer, f"{what} is a map, not {shown(value)}.", f"{away}Write it as a map: {example}.")
        return {}

    def optional_map(self, data: Mapping[str, Json], key: str, pointer: Pointer, example: str) -> dict[str, Json]:
        """The map below a key; the key may be missing."""
        return self.map(data[key], (*pointer, key), f"`{key}`", example) if key in data else {}

    def keys(self, data: Mapping[str, Json], known: Collection[str], pointer: Pointer, where: str) -> None:
        """Refuse keys that are not known here."""
        for key, value in data.items():
            if key not in known:
                from chalicelib.flow.elsewhere import instead_of_key  # imported late, as all that only mistakes need

                instead = instead_of_key(where, key, value, str(pointer[-1]) if pointer else "")
                do = instead or f"Keys here: {', '.join(known)}."
                if instead:
                    self.refuse((*pointer, key), f"{where} has no key `{key[:60]}`.", do, at_key=True)
                    continue
                what = f"{where} has no key `{key[:60]}`.{did_you_mean(key, known)}"
                self.refuse((*pointer, key), what, do, at_key=True)

    def text(self, data: Mapping[str, Json], key: str, pointer: Pointer) -> str:
        """A text; empty where the key is missing."""
        value = data.get(key, "")
        if isinstance(value, str):
            return value
        hint = f'Put quotes around it: "{value}".' if isinstance(value, int | float) else "Write a text."
        self.refuse((*pointer, key), f"`{key}` is a text, not {shown(value)}.", hint)
        return ""

    def choice(self, data: Mapping[str, Json], key: str, known: Collection[str], pointer: Pointer) -> str:
        """One of the known words; empty where the key is missing or its value is none of them."""
        if key not in data:
            return ""
        value = data[key]
        if isinstance(value, str) and value in known:
            return value
        hint = did_you_mean(value, known) if isinstance(value, str) else ""
        self.refuse(
            (*pointer, key), f"`{key}` is {either(list(known))}, not {shown(value)}.{hint}", "Write one of these."
        )
        return ""

    def duration(
        self, data: Mapping[str, Json], key: str, pointer: Pointer, *, least: float = 0.0, most: timedelta = LONGEST
    ) -> float | None:
        """A duration in seconds; None where the key is missing or its value cannot be read."""
        if key not in data:
            return None
        value = data[key]
        try:
            seconds = read_duration(value).total_seconds()
        except (ExpressionError, OverflowError, ValueError):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            from chalicelib.flow.elsewhere import meant_duration  # imported late, as above

            meant = meant_duration(value)
            do = f"Write {meant}." if meant else "Write a number and a unit: 90s, 20m, 1h30m, 2d."
            do = f"Say the unit: {shown(value)}s." if number else do
            self.refuse((*pointer, key), f"`{key}` is a duration, not {shown(value)}.", do)
            return None
        if not least <= seconds <= most.total_seconds():
            bounds = f"at most {duration_text(most)}" if seconds > least else "longer than nothing"
            self.refuse((*pointer, key), f"`{key}` must be {bounds}.", "Write another duration.")
            return None
        return seconds

    def identifier(self, name: str, pointer: Pointer, what: str) -> bool:
        """Refuse what is no id; an unusable name is left out of the model."""
        if IDENTIFIER.fullmatch(name) and name not in RESERVED:
            return True
        if name in RESERVED:
            what_now, do = f"`{name}` is a word of the expression language.", f"Give the {what} another name."
        elif "-" in name and name.isascii():
            better = name.lower().replace("-", "_")
            what_now = f"`{name[:60]}` cannot name a {what}: in an expression a dash is a minus."
            do = f"Write `{better}`." if IDENTIFIER.fullmatch(better) else "Use letters, digits and _."
        else:
            from chalicelib.flow.lookalikes import told_apart  # imported late, as above

            what_now = f"`{name[:60]}` cannot name a {what}.{told_apart(name[:60])}"
            do = "An id begins with a small letter, then small letters, digits and _, at most 40 in all."
        self.refuse(pointer, what_now, do, at_key=True)
        return False

    def node_type(self, data: Mapping[str, Json], pointer: Pointer, what: str) -> str:
        """The type that `uses` names, or an empty text and a finding."""
        if "uses" not in data:
            from chalicelib.flow.elsewhere import means_uses  # imported late, as above

            if any(means_uses(key) for key in data):
                return ""  # said where the key stands
            self.refuse(
                pointer, f"The {what} `{pointer[-1]}` does not say what it uses.", "Add `uses: <node>`.", at_key=True
            )
            return ""
        uses = data["uses"]
        if isinstance(uses, str) and NODE_TYPE.fullmatch(uses):
            return uses
        from chalicelib.flow.elsewhere import instead_of_node  # imported late, as above

        meant = instead_of_node(uses) if isinstance(uses, str) else ""
        self.refuse(
            (*pointer, "uses"),
            f"`uses` names a node, such as {meant or 'http.request'}, not {shown(uses)}.",
            "`penstock nodes list` has all.",
        )
        return ""

    def credential(self, data: Mapping[str, Json], pointer: Pointer) -> str | None:
        """The name of a credential, never the secret itself."""
        if "credential" not in data:
            return None
        value = data["credential"]
        if isinstance(value, str) and IDENTIFIER.fullmatch(value):
            return value
        # What stands here may be a secret written by mistake: it is not repeated.
        self.refuse(
            (*pointer, "credential"),
            "`credential` is the name of a stored credential: small letters, digits and _.",
            "Store the secret under a name, and write the name here.",
        )
        return None


def _own_id(entries: list[Json]) -> str:
    """The id that the first entry of a list would have in a map."""
    first = entries[0] if entries else None
    if isinstance(first, dict):
        given = next((first[word] for word in ("id", "name", "key") if isinstance(first.get(word), str)), "")
        given = given or (next(iter(first)) if len(first) == 1 else "")
    else:
        given = first if isinstance(first, str) else ""
    better = re.sub(r"\W+", "_", str(given).lower()).strip("_")
    return better if IDENTIFIER.fullmatch(better) and better not in RESERVED else "first"


def duration_text(span: timedelta) -> str:
    """A duration as flows write it, in its largest whole unit."""
    seconds = span.total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def read_flow_keys(reader: Reader, data: Mapping[str, Json]) -> FlowModel:
    """Everything of a flow but its steps."""
    reader.keys(data, FLOW_KEYS, (), "A flow")
    name = reader.text(data, "flow", ())
    if "flow" not in data:
        reader.refuse((), "The flow has no name.", "Add a first line: flow: <name>.")
    elif isinstance(data["flow"], str) and not FLOW_NAME.fullmatch(name):
        rule = "small letters, digits, - and _, beginning with a letter, at most 64."
        reader.refuse(("flow",), f"`{name[:80]}` cannot name a flow.", f"Use {rule}")
    return FlowModel(
        data=data,
        flow=name,
        description=reader.text(data, "description", ()),
        timezone=_timezone(reader, data),
        inputs=_named(reader, data, "inputs", "input", "{total: {type: number}}"),
        variables=_named(reader, data, "vars", "var", "{base_url: https://api.example}"),
        triggers=_read_triggers(reader, data),
        deadline_seconds=reader.duration(data, "deadline", (), least=0.001),
        durability=reader.choice(data, "durability", DURABILITY, ()) or "barrier",
        concurrency=_read_cap(reader, data),
        retention_seconds=reader.duration(data, "retention", (), least=0.001),
        plugins=_read_pins(reader, data),
    )


def _read_pins(reader: Reader, data: Mapping[str, Json]) -> Mapping[str, str]:
    """The version of each plugin: a hash by name."""
    found = reader.optional_map(data, "plugins", (), "{geo: <the hash that `penstock plugins list` shows>}")
    for name, pin in found.items():
        if not isinstance(pin, str) or not PIN.fullmatch(pin):
            what = f"`{name[:60]}` is pinned by the hash of a version, not {shown(pin)}."
            reader.refuse(
                ("plugins", name), what, "`penstock plugins list` shows it; without it the installed one is it."
            )
    return {name: pin for name, pin in found.items() if isinstance(pin, str)}


def _read_cap(reader: Reader, data: Mapping[str, Json]) -> CapModel | None:
    """How many executions at once: a number, or a map of `max` and `key`."""
    if "concurrency" not in data:
        return None
    at, value = ("concurrency",), data["concurrency"]
    if not isinstance(value, dict):
        return CapModel(_read_most(reader, value, at, "concurrency"))
    reader.keys(value, CAP_KEYS, at, "`concurrency`")
    if value.keys().isdisjoint(CAP_KEYS):
        do = 'Write a number, {max: 5}, or {key: "${ inputs.customer }"}: one at a time for each.'
        reader.refuse(at, "`concurrency` does not say how many executions at once.", do)
    most = _read_most(reader, value["max"], (*at, "max"), "max") if "max" in value else 1
    key = value.get("key")
    if "key" in value and not (isinstance(key, str) and has_hole(key)):
        what = f"`key` is an expression that tells executions apart, not {shown(key)}."
        reader.refuse((*at, "key"), what, 'Write "${ inputs.customer }"; leave it out where they are all alike.')
        key = None
    return CapModel(most, key)


def _read_most(reader: Reader, value: Json, at: Pointer, name: str) -> int:
    """A number of executions."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_AT_ONCE:
        return value
    what = f"`{name}` is a whole number from 1 to {MOST_AT_ONCE}, not {shown(value)}."
    do = "Write how many executions may run at once; leave `concurrency` out for no limit."
    reader.refuse(at, what, do)
    return 1


def _named(reader: Reader, data: Mapping[str, Json], key: str, what: str, example: str) -> dict[str, Json]:
    found = reader.optional_map(data, key, (), example)
    return {name: value for name, value in found.items() if reader.identifier(name, (key, name), what)}


def _timezone(reader: Reader, data: Mapping[str, Json]) -> str:
    name = reader.text(data, "timezone", ())
    if not name:
        return "UTC"
    try:
        zone_of(name)
    except ExpressionError:
        reader.refuse(("timezone",), f"There is no time zone `{name[:60]}`.", "Write one such as Europe/Berlin or UTC.")
        return "UTC"
    return name


def _read_triggers(reader: Reader, data: Mapping[str, Json]) -> tuple[TriggerModel, ...]:
    """Every trigger that can be read."""
    found = reader.optional_map(data, "triggers", (), "{by_hand: {uses: manual}}")
    triggers: list[TriggerModel] = []
    for name, value in found.items():
        pointer: Pointer = ("triggers", name)
        if reader.identifier(name, pointer, "trigger"):
            content = reader.map(value, pointer, f"The trigger `{name}`", "{uses: webhook, verify: none}")
            if isinstance(value, dict):
                triggers.append(_read_trigger(reader, name, content, pointer))
    return tuple(triggers)


def _read_trigger(reader: Reader, name: str, data: dict[str, Json], pointer: Pointer) -> TriggerModel:
    reader.keys(data, TRIGGER_KEYS, pointer, "A trigger")
    verify = data.get("verify")
    if "verify" in data and not isinstance(verify, dict) and verify != "none":
        do = "Write `none`, or {scheme: github, credential: <name>}."
        reader.refuse((*pointer, "verify"), f"`verify` says which scheme and credential, not {shown(verify)}.", do)
    return TriggerModel(
        id=name,
        pointer=pointer,
        data=data,
        uses=reader.node_type(data, pointer, "trigger"),
        credential=reader.credential(data, pointer),
        parameters=reader.optional_map(data, "with", pointer, "{cron: 0 6 * * MON}"),
        verify=verify if isinstance(verify, dict) else None,
        respond=reader.choice(data, "respond", RESPOND, pointer) or "accepted",
        overlap=reader.choice(data, "overlap", OVERLAP, pointer) or "allow",
        catch_up=reader.choice(data, "catch_up", CATCH_UP, pointer) or "none",
    )

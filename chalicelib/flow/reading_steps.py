"""Reads the steps of a flow: their keys, what they wait for as written, and the bodies of loops."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from chalicelib.flow.findings import Finding, did_you_mean, shown
from chalicelib.flow.model import LOOPS, After, Alternatives, FlowModel, Named, StepModel
from chalicelib.flow.plan import Effect, RetryPolicy
from chalicelib.flow.reading import Reader, read_flow_keys
from chalicelib.flow.values import Json, Pointer

STEP_KEYS = (
    *("uses", "name", "credential", "after", "if", "with", "steps", "output"),
    *("retry", "timeout", "on_error", "effect", "run"),
)
RETRY_KEYS = ("attempts", "first", "factor", "cap", "within", "for")
_STEPS_PATH = re.compile(r"\w+\.[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?")
RETRY_CLASS = re.compile(r"timeout|connect|[45]xx|[45]\d\d")
_CLASSES = ("timeout", "connect", "4xx", "5xx", "429")
MOST_ATTEMPTS = 100
LONGEST_TIMEOUT = timedelta(minutes=4)
"""An invocation of the queue's worker lasts five minutes (`.chalice/config.json`), and an attempt must fit into one:
the same file runs on AWS and on a laptop. Longer invocations would make recovery slower: a lease lasts as long."""

DEEPEST = 8
"""Loops in loops: a path of more than eight turns is a mistake, and every level costs stack."""

DEEPEST_VALUE = 100
"""Levels of maps and lists in a document: more than a person writes, and few enough for any stack."""

GROUP_EXAMPLE = "{any: [a, b.approved]}, {first: [a, b]} or {at_least: 2, of: [a, b, c]}"


def read_model(data: Mapping[str, Json]) -> tuple[FlowModel, list[Finding]]:
    """Read a document. Returns what could be understood, and every mistake of shape; raises nothing."""
    reader = Reader()
    if (deep := _too_deep(data)) is not None:
        reader.refuse(
            deep, f"This is nested more than {DEEPEST_VALUE} levels deep.", "Let a step read it from elsewhere."
        )
        return FlowModel(data={}), reader.findings
    flow = read_flow_keys(reader, data)
    if "steps" not in data:
        reader.refuse((), "The flow has no steps.", "Add `steps:` with at least one step.")
    elif data["steps"] == {}:
        reader.refuse(("steps",), "The flow has no steps.", "Add at least one step.")
    steps = _read_steps(reader, data, (), 0)
    on_failure = _read_steps(reader, data, (), 0, key="on_failure")
    model = replace(flow, steps=steps, on_failure=on_failure)
    _one_meaning(reader, model)
    return model, reader.findings


def _too_deep(data: Mapping[str, Json]) -> Pointer | None:
    """The way to the first value that is nested too deep."""
    waiting: list[tuple[Pointer, Json]] = [((), dict(data))]
    while waiting:
        pointer, value = waiting.pop()
        if len(pointer) > DEEPEST_VALUE:
            return pointer
        if isinstance(value, dict):
            waiting.extend(((*pointer, key), part) for key, part in value.items() if isinstance(part, dict | list))
        elif isinstance(value, list):
            parts = enumerate(value)
            waiting.extend(((*pointer, index), part) for index, part in parts if isinstance(part, dict | list))
    return None


def _read_steps(
    reader: Reader, data: Mapping[str, Json], pointer: Pointer, depth: int, key: str = "steps"
) -> tuple[StepModel, ...]:
    found = reader.optional_map(data, key, pointer, "{hello: {uses: set, with: {text: hi}}}")
    steps: list[StepModel] = []
    for name, value in found.items():
        at: Pointer = (*pointer, key, name)
        if reader.identifier(name, at, "step"):
            content = reader.map(value, at, f"The step `{name}`", "{uses: set, with: {text: hi}}")
            if isinstance(value, dict):
                steps.append(_read_step(reader, name, content, at, depth))
    return tuple(steps)


def _read_step(reader: Reader, name: str, data: dict[str, Json], pointer: Pointer, depth: int) -> StepModel:
    reader.keys(data, STEP_KEYS, pointer, "A step")
    uses = reader.node_type(data, pointer, "step")
    effect = reader.choice(data, "effect", [effect.value for effect in Effect], pointer)
    timeout = reader.duration(data, "timeout", pointer, least=0.001, most=LONGEST_TIMEOUT)
    return StepModel(
        id=name,
        pointer=pointer,
        data=data,
        uses=uses,
        name=reader.text(data, "name", pointer),
        credential=reader.credential(data, pointer),
        parameters=reader.optional_map(data, "with", pointer, "{text: hi}"),
        after=_read_after(reader, data, pointer),
        retry=_read_retry(reader, data, pointer),
        timeout_seconds=20.0 if timeout is None else timeout,
        on_error=_read_on_error(reader, data, pointer),
        has_on_error="on_error" in data,
        effect=Effect(effect) if effect else None,
        apart=reader.choice(data, "run", ("inline", "apart"), pointer) == "apart",
        body=_read_body(reader, name, uses, data, pointer, depth),
    )


def _read_body(
    reader: Reader, name: str, uses: str, data: dict[str, Json], pointer: Pointer, depth: int
) -> tuple[StepModel, ...] | None:
    if uses not in LOOPS:
        for key in ("steps", "output"):
            if key in data and uses and not _means_loop(uses):
                do = "Steps stand side by side; `after` and mentions order them." if key == "steps" else "Leave it out."
                what = f"Only foreach and repeat have `{key}`; `{name}` uses {uses}."
                reader.refuse((*pointer, key), what, do, at_key=True)
        return None
    if not data.get("steps"):
        at = (*pointer, "steps") if "steps" in data else pointer
        reader.refuse(at, f"The loop `{name}` has no steps.", "Add `steps:` with what it does each time.", at_key=True)
        return ()
    if depth >= DEEPEST:
        reader.refuse(
            (*pointer, "steps"), f"Loops stand in loops at most {DEEPEST} deep.", "Let `call` start another flow."
        )
        return ()
    return _read_steps(reader, data, pointer, depth + 1)


def _means_loop(uses: str) -> bool:
    """Whether a node that does not exist is what other tools call a loop."""
    from chalicelib.flow.elsewhere import instead_of_node  # imported late: only mistakes need it

    return instead_of_node(uses) in LOOPS


def _read_on_error(reader: Reader, data: dict[str, Json], pointer: Pointer) -> Json:
    if "on_error" not in data:
        return None
    match data["on_error"]:
        case "continue":
            return None
        case {"use": value, **rest} if not rest:
            return value
        case other:
            what = f"`on_error` is `continue` or {{use: value}}, not {shown(other)}."
            do = "`continue` makes the value null; to act on a failure, name the step's `error` port."
            reader.refuse((*pointer, "on_error"), what, do)
            return None


def _read_retry(reader: Reader, data: dict[str, Json], pointer: Pointer) -> RetryPolicy:
    if "retry" not in data:
        return RetryPolicy()
    retry = reader.optional_map(data, "retry", pointer, "{attempts: 5, first: 5s, factor: 2, cap: 60s}")
    at: Pointer = (*pointer, "retry")
    reader.keys(retry, RETRY_KEYS, at, "`retry`")
    usual = RetryPolicy()
    attempts = _number(reader, retry, "attempts", at, (1, MOST_ATTEMPTS), whole=True)
    factor = _number(reader, retry, "factor", at, (1, 10))
    first = reader.duration(retry, "first", at)
    cap = reader.duration(retry, "cap", at)
    within = reader.duration(retry, "within", at, least=0.001)
    if retry and "attempts" not in retry:
        reader.refuse(at, "`retry` does not say how many attempts.", "Add `attempts: 3`.", at_key=True)
    if first is not None and cap is not None and cap < first:
        reader.refuse(
            (*at, "cap"), "`cap` is shorter than `first`.", "The cap is the longest pause; make it at least `first`."
        )
    if within is not None and within < (usual.first_seconds if first is None else first):
        named = "`first`" if first is not None else "the first pause of 1s"
        reader.refuse(
            (*at, "within"),
            f"`within` is shorter than {named}: no second attempt would be made.",
            "It is how long after the first attempt began another may still begin; make it longer.",
        )
    return RetryPolicy(
        attempts=int(attempts or usual.attempts),
        first_seconds=usual.first_seconds if first is None else first,
        factor=float(factor or usual.factor),
        # A first pause beyond the usual cap means what it says.
        cap_seconds=max(usual.cap_seconds, first or 0.0) if cap is None else cap,
        classes=_read_classes(reader, retry, at) or usual.classes,
        within_seconds=within,
    )


def _number(
    reader: Reader,
    data: Mapping[str, Json],
    key: str,
    pointer: Pointer,
    bounds: tuple[int, int],
    *,
    whole: bool = False,
) -> float | None:
    if key not in data:
        return None
    value = data[key]
    kinds = int if whole else int | float
    if isinstance(value, kinds) and not isinstance(value, bool) and bounds[0] <= value <= bounds[1]:
        return value
    what = f"`{key}` is a {'whole ' if whole else ''}number from {bounds[0]} to {bounds[1]}, not {shown(value)}."
    reader.refuse((*pointer, key), what, "Write a number in this range.")
    return None


def _read_classes(reader: Reader, retry: Mapping[str, Json], pointer: Pointer) -> tuple[str, ...]:
    value = retry.get("for", [])
    at: Pointer = (*pointer, "for")
    if not isinstance(value, list):
        reader.refuse(at, f"`for` is a list, not {shown(value)}.", "Write it as a list: [timeout, 429, 5xx].")
        return ()
    classes: list[str] = []
    for index, entry in enumerate(value):
        text = str(entry) if isinstance(entry, int | str) else ""
        if RETRY_CLASS.fullmatch(text):
            classes.append(text)
        else:
            do = "Write timeout, connect, a status such as 429, or 4xx, 5xx."
            what = f"{shown(entry)} is no kind of failure.{did_you_mean(text.lower(), _CLASSES)}"
            reader.refuse((*at, index), what[0].upper() + what[1:], do)
    return tuple(dict.fromkeys(classes))


def _read_after(reader: Reader, data: Mapping[str, Json], pointer: Pointer) -> tuple[After, ...]:
    if "after" not in data:
        return ()
    value, at = data["after"], (*pointer, "after")
    if not isinstance(value, list):
        return tuple(_read_source_or_group(reader, value, at))
    return tuple(found for i, entry in enumerate(value) for found in _read_source_or_group(reader, entry, (*at, i)))


def _read_source_or_group(reader: Reader, value: Json, pointer: Pointer) -> list[After]:
    if isinstance(value, dict):
        group = _read_group(reader, value, pointer)
        return [group] if group else []
    named = _read_source(reader, value, pointer)
    return [named] if named else []


def _read_source(reader: Reader, value: Json, pointer: Pointer) -> Named | None:
    if isinstance(value, str):
        source, dot, port = value.strip().partition(".")
        if "$" not in value and re.search(r"[\s,]", value.strip()):
            names = [name for name in re.split(r"[\s,]+|\band\b", value.strip()) if name]
            do = f"Write a list: [{', '.join(names)}]."
            reader.refuse(pointer, f"`after` names steps, not {shown(value)}.", do)
            return None
        if source in {"steps", "step", "jobs"} and _STEPS_PATH.fullmatch(value.strip()):
            reader.refuse(pointer, f"`after` names steps by their ids alone, not {shown(value)}.", f"Write `{port}`.")
            return None
        if source and (port or not dot) and "." not in port and "$" not in value:
            return Named(source, port or None, pointer)
        if "${" in value or value.startswith("steps."):
            do = "Name the step alone, such as `charge` or `approve.approved`; a condition belongs in `if`."
            reader.refuse(pointer, f"`after` names steps; it takes no expression: {shown(value)}.", do)
            return None
    reader.refuse(
        pointer, f"`after` names steps, not {shown(value)}.", f"Write `a`, `a.port`, a list of these, {GROUP_EXAMPLE}."
    )
    return None


def _read_group(reader: Reader, data: dict[str, Json], pointer: Pointer) -> Alternatives | None:
    words = set(data)
    if words not in ({"any"}, {"first"}, {"at_least", "of"}):
        do = f"Write {GROUP_EXAMPLE}."
        alone = next(iter(data.values())) if len(data) == 1 else None
        if words <= {"all", "and", "all_of", "every"} and isinstance(alone, list):
            do = f"All of a list must hold: write [{', '.join(map(str, alone))}] without `{next(iter(words))}`."
        elif words <= {"or", "either", "one_of", "any_of"} and isinstance(alone, list):
            do = f"Write {{any: [{', '.join(map(str, alone))}]}}."
        reader.refuse(pointer, "This is no group of alternatives.", do)
        return None
    key = next(word for word in ("any", "first", "of") if word in data)
    least = _read_least(reader, data, pointer)
    members = data[key]
    if not isinstance(members, list):
        reader.refuse((*pointer, key), f"`{key}` takes a list, not {shown(members)}.", f"Write {{{key}: [a, b]}}.")
        return None
    read: list[Named] = []
    for index, member in enumerate(members):
        at = (*pointer, key, index)
        if isinstance(member, dict):
            reader.refuse(
                at, "A group cannot stand in a group.", "Let a `set` step wait for the inner one, and name that."
            )
        elif named := _read_source(reader, member, at):
            read.append(named)
    return Alternatives(least, tuple(read), (*pointer, key)) if least != 0 and len(read) == len(members) else None


def _read_least(reader: Reader, data: Mapping[str, Json], pointer: Pointer) -> int | None:
    """How many must hold: None for `any`, 1 for `first`, 0 where it cannot be read."""
    if "at_least" not in data:
        return 1 if "first" in data else None
    least = data["at_least"]
    if isinstance(least, int) and not isinstance(least, bool) and least >= 1:
        return least
    reader.refuse(
        (*pointer, "at_least"), f"`at_least` is a whole number from 1, not {shown(least)}.", "Write how many must hold."
    )
    return 0


def _one_meaning(reader: Reader, model: FlowModel) -> None:
    """One id means one thing in the whole file: a trigger, a step, or a step in a loop."""
    seen: dict[str, Pointer] = {trigger.id: trigger.pointer for trigger in model.triggers}
    for step in model.walk():
        if step.id in seen:
            kind = "trigger" if seen[step.id][0] == "triggers" else "step"
            what = f"`{step.id}` already names a {kind}: {' / '.join(str(part) for part in seen[step.id])}."
            reader.refuse(
                step.pointer,
                what,
                "Give one of them another name: an id means one thing in the whole file.",
                at_key=True,
            )
        else:
            seen[step.id] = step.pointer

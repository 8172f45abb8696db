"""The mix of flows in `tools/load/`, and what must have become of each execution and of its effects."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from tools.load_service import CountingService, is_cut, receipt

Shown = Mapping[str, Any]
"""An execution as the API shows it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One flow of the mix. Paths hold the delivery's number where they say `{n}`."""

    flow: str
    output: Callable[[int, Any], Any]
    """What it must give, by the delivery's number and what it did give."""
    exactly_once: tuple[str, ...] = ()
    """Effects with an idempotency key."""
    at_least_once: tuple[str, ...] = ()
    at_most_once: tuple[str, ...] = ()
    status: str = "succeeded"
    starts: str = ""
    """The flow of which each of its executions starts one."""
    others: Callable[[int, Shown, CountingService], Iterator[str]] | None = None
    """Further mistakes, if any."""

    @property
    def trigger(self) -> str:
        """Its trigger is named after it."""
        return self.flow.removeprefix("load-")


def _linear(n: int, output: Any) -> Any:
    """Paid or unsure: which of them, `_paid` says."""
    known = {"receipt": receipt(f"/keyed/linear/order/{n}"), "told": receipt(f"/keyed/linear/tell/{n}")}
    paid = _field(output, "paid")
    return {**known, "paid": paid if paid in {"yes", "unsure"} else "yes or unsure"}


def _field(output: Any, name: str) -> Any:
    return cast("dict[str, Any]", output).get(name) if isinstance(output, dict) else None


def _paid(n: int, shown: Shown, service: CountingService) -> Iterator[str]:
    path = f"/once/linear/pay/{n}"
    paid = shown["output"]["paid"]
    if paid == "yes" and service.answered[path] != 1:
        yield f"{path} counts as paid, and was answered {service.answered[path]} times"
    if is_cut(path) and paid != "unsure":
        yield f"{path} was cut off, and counts as {paid}"


def _alone(n: int, _: Shown, service: CountingService) -> Iterator[str]:
    """In a lane nobody enters before the one before has left."""
    enter, leave = service.order[f"/keyed/lane/enter/{n}"], service.order[f"/keyed/lane/leave/{n}"]
    for path, moment in service.order.items():
        other = path.removeprefix("/keyed/lane/enter/")
        if other != path and (int(other) - n) % 2 == 0 and enter < moment < leave:
            yield f"{path} came while {n} was in the same lane"


def _alarmed(_: int, shown: Shown, service: CountingService) -> Iterator[str]:
    path = f"/keyed/alarm/told/{shown['id']}"
    if service.applied[path] != 1:
        yield f"{path} was applied {service.applied[path]} times"


def word(n: int) -> str:
    """What the execution that asks is told."""
    return f"w{n}"


_LETTERS = "abcde"
_ROUNDS = (1, 2, 3)
_NUMBERS = range(1, 31)
_BESIDE_A_PAYMENT = frozenset({"load-diamond", "load-each", "load-retry", "load-wait", "load-parent", "load-lane"})

KINDS = (
    Kind(
        "load-linear",
        _linear,
        ("/keyed/linear/order/{n}", "/keyed/linear/tell/{n}"),
        at_most_once=("/once/linear/pay/{n}",),
        others=_paid,
    ),
    Kind(
        "load-diamond",
        lambda n, _: {
            "left": receipt(f"/keyed/diamond/left/{n}"),
            "right": f"/put/diamond/right/{n}",
            "closed": receipt(f"/keyed/diamond/close/{n}"),
        },
        ("/keyed/diamond/left/{n}", "/keyed/diamond/close/{n}"),
        at_least_once=("/put/diamond/right/{n}",),
    ),
    Kind(
        "load-each",
        lambda n, _: {
            "receipts": [receipt(f"/keyed/each/book/{n}/{letter}") for letter in _LETTERS],
            "count": len(_LETTERS),
            "total": receipt(f"/keyed/each/total/{n}"),
        },
        ("/keyed/each/total/{n}", *(f"/keyed/each/book/{{n}}/{letter}" for letter in _LETTERS)),
        at_least_once=tuple(f"/put/each/keep/{{n}}/{letter}" for letter in _LETTERS),
    ),
    Kind(
        "load-retry",
        lambda n, _: {name: receipt(f"/flaky/retry/{name}/{n}") for name in ("quick", "patient")},
        ("/flaky/retry/quick/{n}", "/flaky/retry/patient/{n}"),
    ),
    Kind(
        "load-wait",
        lambda n, _: {"receipts": [receipt(f"/keyed/wait/{name}/{n}") for name in ("first", "second", "third")]},
        ("/keyed/wait/first/{n}", "/keyed/wait/second/{n}", "/keyed/wait/third/{n}"),
    ),
    Kind(
        "load-caller",
        lambda n, output: {"before": receipt(f"/keyed/caller/before/{n}"), "child": _field(output, "child")},
        ("/keyed/caller/before/{n}", "/keyed/child/work/{n}"),
        starts="load-child",
    ),
    Kind(
        "load-failing",
        lambda _, __: None,
        ("/keyed/failing/work/{n}", "/keyed/failing/alarm/{n}"),
        status="failed",
        starts="load-alarm",
        others=_alarmed,
    ),
    Kind(
        "load-repeat",
        lambda n, _: {"receipts": [receipt(f"/keyed/repeat/work/{n}/{turn}") for turn in _ROUNDS]},
        tuple(f"/keyed/repeat/work/{{n}}/{turn}" for turn in _ROUNDS),
    ),
    Kind(
        "load-ask",
        lambda n, _: {"word": word(n), "noted": receipt(f"/keyed/ask/note/{n}")},
        ("/keyed/ask/tell/{n}", "/keyed/ask/note/{n}"),
    ),
    Kind(
        "load-parent",
        lambda n, _: {
            "part": [receipt(f"/keyed/part/{name}/{n}") for name in ("first", "second")],
            "total": receipt(f"/keyed/parent/total/{n}"),
        },
        ("/keyed/part/first/{n}", "/keyed/part/second/{n}", "/keyed/parent/total/{n}"),
        starts="load-part",
    ),
    Kind(
        "load-lane",
        lambda n, _: {"entered": receipt(f"/keyed/lane/enter/{n}"), "left": receipt(f"/keyed/lane/leave/{n}")},
        ("/keyed/lane/enter/{n}", "/keyed/lane/leave/{n}"),
        others=_alone,
    ),
    Kind(
        "load-wide",
        lambda n, _: {
            "receipts": [receipt(f"/keyed/wide/book/{n}/{number}") for number in _NUMBERS],
            "count": len(_NUMBERS),
        },
        ("/keyed/wide/total/{n}", *(f"/keyed/wide/book/{{n}}/{number}" for number in _NUMBERS)),
    ),
    Kind("load-quick", lambda n, _: f"twice {n} is {2 * n}"),
)

_MIX = tuple(each for kind in KINDS[1:] for each in ((KINDS[0], kind) if kind.flow in _BESIDE_A_PAYMENT else (kind,)))
"""One execution in three pays: what may happen at most once is what a crash endangers most."""


def kind_of(n: int) -> Kind:
    """The flow that a delivery is for: each in turn."""
    return _MIX[n % len(_MIX)]


@dataclass
class Effects:
    """What came of the effects of some executions."""

    keyed: int = 0
    """Effects with a key, each applied exactly once."""
    paid: int = 0
    """At-most-once requests that reached the service."""
    unsure: int = 0
    """Of them and of those that never came: whose outcome nobody knows, cut off by the service or by a kill."""
    unsent: int = 0
    """At-most-once requests that never did, and count as unknown."""
    repeated: int = 0
    """At-least-once effects that were applied more than once, as they may be."""
    problems: list[str] = field(default_factory=list[str])

    def judge(self, n: int, shown: Shown, service: CountingService) -> None:
        """Hold one ended execution against what its flow promises."""
        kind = kind_of(n)
        if shown["status"] != kind.status:
            self.problems.append(f"{kind.flow} {n} is {shown['status']}: {shown.get('reason')}")
            return
        if kind.output(n, shown["output"]) != shown["output"]:
            self.problems.append(f"{kind.flow} {n} gave {shown['output']}")
            return
        for path in _paths(kind.exactly_once, n):
            self.keyed += 1
            if service.applied[path] != 1:
                self.problems.append(f"{path} was applied {service.applied[path]} times")
        for path in _paths(kind.at_least_once, n):
            self.repeated += service.applied[path] > 1
            if not service.applied[path]:
                self.problems.append(f"{path} was never applied")
        for path in _paths(kind.at_most_once, n):
            self.paid += service.requests[path] == 1
            self.unsent += not service.requests[path]
            self.unsure += shown["output"]["paid"] == "unsure"
            if service.requests[path] > 1:
                self.problems.append(f"{path} came {service.requests[path]} times, and may come once")
        if kind.others is not None:
            self.problems.extend(kind.others(n, shown, service))


def _paths(templates: tuple[str, ...], n: int) -> Iterator[str]:
    return (template.replace("{n}", str(n)) for template in templates)

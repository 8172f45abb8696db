"""Steps for tests of the engine, built by hand and at random."""

from random import Random
from typing import Any

from chalicelib.engine.facts import Done, How
from chalicelib.flow.plan import Effect, Group, Need, StepPlan, UseValue

ANYTHING: Any = None
"""Where a template stands that no test of the engine evaluates."""

PORTS = ("p", "q")


def step(name: str, ordinal: int = 0, *needs: str, groups: tuple[Group, ...] = (), **others: Any) -> StepPlan:
    """A step with needs written `source.port`."""
    wanted = tuple(need(each) for each in needs)
    given: dict[str, Any] = {"effect": Effect.PURE, **others}
    return StepPlan(
        id=name,
        ordinal=ordinal,
        uses="set",
        needs=wanted,
        groups=groups,
        mentions=(),
        condition=ANYTHING,
        parameters=ANYTHING,
        **given,
    )


def need(text: str) -> Need:
    source, _, port = text.partition(".")
    return Need(source, port or "done")


def any_of(*needs: str) -> Group:
    return Group(None, tuple(need(each) for each in needs))


def at_least(count: int, *needs: str) -> Group:
    return Group(count, tuple(need(each) for each in needs))


def done(port: str = "done", order: int = -1, ended: int = 1) -> Done:
    return Done(How.SUCCEEDED, port, 1, ended, "", order)


def failed(order: int = -1, how: How = How.FAILED) -> Done:
    return Done(how, "error", 1, 1, "", order)


def random_flow(random: Random) -> tuple[StepPlan, ...]:
    """3 to 9 steps whose needs point backwards, with every kind of need, group and failure handling."""
    pick, chance = random.choice, random.random
    count = int(3 + chance() * 7)
    wants: list[tuple[list[Need], tuple[Group, ...]]] = []
    forgiving = [chance() < 0.35 for _ in range(count)]
    named: set[int] = set()

    def port_of(source: int, ports: tuple[str, ...]) -> str:
        port = pick(ports)
        # Naming the error port of a step with on_error is refused by the check.
        if port == "error" and forgiving[source]:
            port = "done"
        if port == "error":
            named.add(source)
        return port

    for place in range(count):
        sources = list(range(place))
        random.shuffle(sources)
        plain = int(chance() * 2.6)
        needs = [Need(f"s{each}", port_of(each, _PLAIN)) for each in sources[:plain]]
        rest = sources[plain:]
        groups: tuple[Group, ...] = ()
        if len(rest) >= 2 and chance() < 0.5:
            size = min(len(rest), pick((2, 3, 4)))
            wanted = pick((None, 1, min(2, size)))
            ports = _PLAIN if wanted is None else _NUMBERED
            groups = (Group(wanted, tuple(Need(f"s{each}", port_of(each, ports)) for each in rest[:size])),)
        wants.append((needs, groups))
    return tuple(
        StepPlan(
            f"s{place}",
            place,
            "set",
            tuple(needs),
            groups,
            (),
            ANYTHING,
            ANYTHING,
            Effect.PURE,
            ports=PORTS,
            on_error=UseValue(ANYTHING) if forgiving[place] else None,
            error_is_named=place in named,
        )
        for place, (needs, groups) in enumerate(wants)
    )


_PLAIN = ("done", "error", "skipped", "settled", "p", "q")
_NUMBERED = ("done", "error", "p", "q")
"""A derived skip has no commit order, so no numbered group may wait for one."""


def random_done(random: Random, order: int) -> Done:
    """Any of the ways in which a step that ran may be settled."""
    chance = random.random()
    if chance < 0.62:
        return Done(How.SUCCEEDED, "p" if chance < 0.31 else "q", 1, order, "", order)
    if chance < 0.72:
        return Done(How.SKIPPED, "skipped", 1, order, "", order)
    return Done(How.FAILED if chance < 0.9 else How.UNKNOWN, "error", 1, order, "", order)

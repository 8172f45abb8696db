"""The search for possible runs, held against trying every run of small flows."""

import random
from itertools import product

from chalicelib.flow.outcomes import SKIPPED, Literal, Outcomes, Source

PORTS = ("p", "q")


def random_sources(chance: random.Random) -> dict[str, Source]:
    sources = {"t1": Source("t1", ("done",), is_trigger=True), "t2": Source("t2", ("done",), is_trigger=True)}
    for number in range(chance.randint(2, 5)):
        names = list(sources)
        plain = tuple(random_literal(sources, name, chance) for name in chance.sample(names, chance.randint(0, 2)))
        groups: list[tuple[int, tuple[Literal, ...]]] = []
        if len(names) > 2 and chance.random() < 0.6:
            members = chance.sample(names, chance.randint(2, min(4, len(names))))
            literals = tuple(random_literal(sources, name, chance) for name in members)
            groups.append((chance.randint(1, len(members)), literals))
        endings = (*PORTS[: chance.randint(1, 2)], *(["error"] if chance.random() < 0.5 else []))
        name = f"s{number}"
        sources[name] = Source(name, endings, plain, tuple(groups), may_decline=chance.random() < 0.3)
    return sources


def random_literal(sources: dict[str, Source], name: str, chance: random.Random) -> Literal:
    domain = [*sources[name].endings, SKIPPED]
    return name, frozenset(chance.sample(domain, chance.randint(1, min(2, len(domain)))))


def every_run(sources: dict[str, Source]) -> list[dict[str, str]]:
    steps = [source for source in sources.values() if not source.is_trigger]
    choices = [(*source.endings, *([SKIPPED] if source.may_decline else [])) for source in steps]
    runs: list[dict[str, str]] = []
    for started in ("t1", "t2", ""):
        for chosen in product(*choices):
            run = {"t1": SKIPPED, "t2": SKIPPED}
            if started:
                run[started] = "done"
            for source, ending in zip(steps, chosen, strict=True):
                runs_now = all(run[name] in allowed for name, allowed in source.needs) and all(
                    sum(run[name] in allowed for name, allowed in members) >= number
                    for number, members in source.groups
                )
                run[source.id] = ending if runs_now else SKIPPED
            runs.append(run)
    return runs


def test_the_search_finds_exactly_the_runs_that_trying_them_all_finds():
    answers = {True: 0, False: 0}
    for seed in range(1500):
        chance = random.Random(seed)
        sources = random_sources(chance)
        runs = every_run(sources)
        outcomes = Outcomes(sources)
        for name in sources:
            may_run = any(run[name] != SKIPPED for run in runs)
            assert outcomes.may_run(name) == may_run, (seed, name)
            answers[may_run] += 1
        for _ in range(4):
            wanted = [random_literal(sources, name, chance) for name in chance.sample(list(sources), 3)]
            possible = any(all(run[name] in allowed for name, allowed in wanted) for run in runs)
            assert outcomes.possible(wanted) == possible, (seed, wanted)
            answers[possible] += 1
    assert min(answers.values()) > 500


def pigeons(birds: int, holes: int) -> tuple[Outcomes, list[Literal]]:
    """Each bird ends in a hole, and for every two birds and hole a step wants one of them elsewhere."""
    ports = tuple(f"h{number}" for number in range(holes))
    sources = {f"b{number}": Source(f"b{number}", ports) for number in range(birds)}
    wanted: list[Literal] = [(name, frozenset(ports)) for name in sources]
    for first, second, port in product(range(birds), range(birds), ports):
        if first < second:
            elsewhere = frozenset(ports) - {port}
            group = (1, ((f"b{first}", elsewhere), (f"b{second}", elsewhere)))
            name = f"c{first}_{second}_{port}"
            sources[name] = Source(name, ("done",), groups=(group,))
            wanted.append((name, frozenset({"done"})))
    return Outcomes(sources), wanted


def test_a_question_beyond_the_budget_is_answered_with_possible_and_a_small_one_exactly():
    small, wanted = pigeons(4, 3)
    assert not small.possible(wanted)
    fitting, wanted = pigeons(4, 4)
    assert fitting.possible(wanted)
    large, wanted = pigeons(9, 8)
    assert large.possible(wanted)  # no run does this; looking at all of them would take for ever

"""Which endings of a flow's steps can come together: decides that a step can never run, or may run without another.

A step ends by one of its own ports, by `error`, or `skipped`; a trigger is `done` (it started the execution) or
`skipped`. A need is a source and the endings under which it holds. Whether some run of the flow fulfils a list of needs
is searched for by propagation and branching: a step that must not be skipped needs all it waits for, one that must be
skipped needs one of its needs to fail. The search is exact until its budget is spent; then the answer is "possible",
so that nothing is ever refused wrongly. Found runs are kept, and answer most later questions at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from typing import TypeAlias

Literal: TypeAlias = tuple[str, frozenset[str]]
"""A source, and the endings under which a need on it holds."""

Choice: TypeAlias = tuple[int, tuple[tuple[Literal, ...], ...]]
"""At least this many of these conjunctions must hold."""

SKIPPED = "skipped"
_ONLY_SKIPPED = frozenset({SKIPPED})
_BUDGET = 400
"""Branches looked at for one question."""
_KEPT_RUNS = 40
_MOST_SELECTIONS = 100


@dataclass(frozen=True, slots=True)
class Source:
    """What can become of a step or a trigger, and under which needs."""

    id: str
    endings: tuple[str, ...]
    """Its own ports first, then `error` where that is possible; `skipped` is always possible and not listed."""
    needs: tuple[Literal, ...] = ()
    groups: tuple[tuple[int, tuple[Literal, ...]], ...] = ()
    """How many must hold, and of which."""
    may_decline: bool = False
    """It has an `if`, so it may be skipped though its needs hold."""
    is_trigger: bool = False


@dataclass(slots=True)
class _Branch:
    domains: dict[str, frozenset[str]]
    agenda: list[Literal]
    choices: list[Choice]


@dataclass(slots=True)
class Outcomes:
    """The sources of one scope, in an order in which needs point backwards."""

    sources: Mapping[str, Source]
    _runs: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])
    _domains: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    _triggers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._domains = {name: frozenset({*source.endings, SKIPPED}) for name, source in self.sources.items()}
        triggers = self._triggers = tuple(name for name, source in self.sources.items() if source.is_trigger)
        most = max((len(source.endings) for source in self.sources.values()), default=1)
        for turn in range(max(min(most, 4), len(triggers[:4]), 1)):
            started = triggers[turn % len(triggers)] if triggers else ""
            first = {name: frozenset({"done"}) if name == started else _ONLY_SKIPPED for name in triggers}
            self._keep(self._complete(first, turn))

    def domain(self, source: str) -> frozenset[str]:
        """All endings of a source."""
        return self._domains[source]

    def may_run(self, name: str) -> bool:
        """Whether some run of the flow gets this step to run."""
        source = self.sources[name]
        if any(run[name] != SKIPPED for run in self._runs):
            return True
        return self.possible((), run=(source,))

    def possible(self, wanted: Iterable[Literal], run: Sequence[Source] = ()) -> bool:
        """Whether some run of the flow fulfils all of these, and all that these sources wait for."""
        literals = [*wanted, *(need for source in run for need in source.needs)]
        choices = [_at_least(number, members) for source in run for number, members in source.groups]
        if any(
            all(found[name] in allowed for name, allowed in literals) and _fits(choices, found) for found in self._runs
        ):
            return True
        stack = [_Branch({}, literals, choices)]
        budget = _BUDGET
        while stack:
            branch = stack.pop()
            if not self._propagate(branch):
                continue
            choice = self._open_choice(branch)
            if choice is None:
                self._keep(self._complete(branch.domains, 0))
                return True
            budget -= 1
            if budget < 0:
                return True
            number, options = choice
            for index in range(len(options) - number, -1, -1):
                rest = [(number - 1, options[index + 1 :])] if number > 1 else []
                stack.append(_Branch(dict(branch.domains), list(options[index]), [*branch.choices, *rest]))
        return False

    def forced(self, wanted: Iterable[Literal]) -> Mapping[str, frozenset[str]]:
        """The endings that these needs leave open for each source they touch, without branching."""
        branch = _Branch({}, list(wanted), [])
        self._propagate(branch)
        return branch.domains

    def _keep(self, found: Mapping[str, str] | None) -> None:
        if found is None:
            return
        if len(self._runs) < _KEPT_RUNS:
            self._runs.append(found)
        else:
            self._runs[-1] = found

    def _propagate(self, branch: _Branch) -> bool:
        """Follow what is certain; False on a contradiction."""
        domains, agenda = branch.domains, branch.agenda
        while agenda:
            name, allowed = agenda.pop()
            before = domains.get(name)
            now = (self._domains[name] if before is None else before) & allowed
            if not now:
                return False
            if now == before:
                continue
            domains[name] = now
            source = self.sources[name]
            if SKIPPED not in now:
                if before is None or SKIPPED in before:
                    agenda.extend(self._when_it_runs(source))
                    branch.choices.extend(_at_least(number, members) for number, members in source.groups)
            elif now == _ONLY_SKIPPED and not source.may_decline and not source.is_trigger:
                branch.choices.append(self._when_it_is_skipped(source))
        return True

    def _when_it_runs(self, source: Source) -> Iterable[Literal]:
        """What follows from a source not being skipped: its needs hold; at most one trigger starts an execution."""
        if source.is_trigger:
            return [(name, _ONLY_SKIPPED) for name in self._triggers if name != source.id]
        return source.needs

    def _when_it_is_skipped(self, source: Source) -> Choice:
        """One need fails, or one group cannot reach its number any more."""
        options: list[tuple[Literal, ...]] = [(self._opposite(need),) for need in source.needs]
        for number, members in source.groups:
            fails = [self._opposite(member) for member in members]
            missing = len(members) - number + 1
            # Where there are too many ways to miss the number, it is taken for granted that one is possible.
            many = comb(len(fails), missing) > _MOST_SELECTIONS
            options.extend([()] if many else combinations(fails, missing))
        return 1, tuple(option for option in options if all(allowed for _, allowed in option))

    def _opposite(self, literal: Literal) -> Literal:
        name, allowed = literal
        return name, self._domains[name] - allowed

    def _open_choice(self, branch: _Branch) -> Choice | None:
        """The first choice not yet made by what is certain; made ones are dropped."""
        while branch.choices:
            number, options = branch.choices.pop()
            held = sum(self._is_certain(option, branch.domains) for option in options)
            if held < number:
                return number, options
        return None

    def _is_certain(self, option: tuple[Literal, ...], domains: Mapping[str, frozenset[str]]) -> bool:
        return all(domains.get(name, self._domains[name]) <= allowed for name, allowed in option)

    def _complete(self, domains: Mapping[str, frozenset[str]], turn: int) -> Mapping[str, str] | None:
        """A whole run within the domains: sources end as they must, else by their `turn`-th port; None: none fits."""
        run: dict[str, str] = {}
        for name, source in self.sources.items():
            domain = domains.get(name, self._domains[name])
            if source.is_trigger:
                starts = name in domains and SKIPPED not in domain
                run[name] = "done" if starts else SKIPPED
                continue
            runs = all(run[need] in allowed for need, allowed in source.needs) and all(
                sum(run[member] in allowed for member, allowed in members) >= number
                for number, members in source.groups
            )
            open_endings = [ending for ending in source.endings if ending in domain]
            ports = [ending for ending in open_endings if ending != "error"] or open_endings
            run[name] = ports[turn % len(ports)] if runs and ports else SKIPPED
            if run[name] not in domain or (runs and not ports and not source.may_decline):
                return None
        return run


def _at_least(number: int, members: tuple[Literal, ...]) -> Choice:
    return number, tuple((member,) for member in members)


def _fits(choices: Iterable[Choice], run: Mapping[str, str]) -> bool:
    return all(
        sum(all(run[name] in allowed for name, allowed in option) for option in options) >= number
        for number, options in choices
    )

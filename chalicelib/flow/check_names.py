"""Checks what is named: every source in `after` and every mention exists, can be seen from there, and has the port."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chalicelib.flow.findings import Finding, did_you_mean, either, quoted
from chalicelib.flow.lookalikes import plain_word, told_apart
from chalicelib.flow.model import COMMON_PORTS, After, Alternatives, FlowModel, Named, StepModel
from chalicelib.flow.needs import waiter_of
from chalicelib.flow.sources import Scope, Source, scopes_of
from chalicelib.flow.spots import Use

_MOST_LISTED = 30


@dataclass(frozen=True, slots=True)
class Names:
    """Who can be named in a flow."""

    sources: Mapping[str, Source]

    def listed(self, scope: Scope, *, triggers: bool) -> list[str]:
        """The names that can be used in a scope."""
        return [
            name
            for name, source in self.sources.items()
            if scope.sees(source.scope) and (triggers or not source.is_trigger)
        ]

    def unknown(self, name: str, scope: Scope, *, triggers: bool) -> tuple[str, str]:
        """What to say of a step that does not exist."""
        known = self.listed(scope, triggers=triggers)
        shown = ", ".join([*known[:_MOST_LISTED], *(["..."] if len(known) > _MOST_LISTED else [])])
        meant = plain_word(name) if not name.isascii() else name
        hint = did_you_mean(meant or name, known)
        return f"There is no step `{name[:60]}`.{told_apart(name[:60])}{hint}", f"Steps here: {shown or 'none'}."

    def out_of_sight(self, source: Source, scope: Scope) -> tuple[str, str]:
        """What to say of a step that cannot be named from this scope."""
        if source.scope.area != scope.area:
            if scope.area == "on_failure":
                what = (
                    f"`{source.id}` is not an on_failure step: when a flow fails, nobody knows which steps still end."
                )
                return what, "Use `failure`, `inputs` and `trigger` here, or other on_failure steps."
            return f"`{source.id}` is an on_failure step: it runs only when the flow fails.", "Name an ordinary step."
        loop = next(
            (name for depth, name in enumerate(source.scope.loops) if scope.loops[depth : depth + 1] != (name,)), ""
        )
        return f"`{source.id}` is inside the loop `{loop}`.", f"From outside only the loop can be named: `{loop}`."


def check_after(flow: FlowModel, names: Names) -> Iterator[Finding]:
    """Every source that `after` names, and every group."""
    for scope, steps in scopes_of(flow):
        for step in steps:
            for entry in step.after:
                yield from _check_entry(entry, step, scope, names)


def _check_entry(entry: After, step: StepModel, scope: Scope, names: Names) -> Iterator[Finding]:
    if isinstance(entry, Named):
        yield from _check_named(entry, step, scope, names)
        return
    for member in entry.members:
        yield from _check_named(member, step, scope, names)
        if entry.at_least is not None and member.port in {"skipped", "settled"}:
            what = f"`{member}` cannot count here: a skip follows from other facts and has no place in their order."
            yield Finding(member.pointer, what, "Use {any: [...]}, which waits until all of them are settled.")
    yield from _check_size(entry)


def _check_size(group: Alternatives) -> Iterator[Finding]:
    distinct = {str(member) for member in group.members}
    if len(distinct) < 2:
        only = f"Write `{next(iter(distinct))}` alone." if distinct else "Name at least two."
        yield Finding(group.pointer, f"A group of {'one' if distinct else 'none'} has no alternatives.", only)
    elif group.at_least is not None and group.at_least > len(distinct):
        what = f"At least {group.at_least} can never hold: the list names {len(distinct)}."
        yield Finding(group.pointer, what, "Lower the number, or name more.")


def _check_named(named: Named, step: StepModel, scope: Scope, names: Names) -> Iterator[Finding]:
    source = names.sources.get(named.source)
    if source is None:
        yield Finding(named.pointer, *names.unknown(named.source, scope, triggers=not scope.loops))
    elif source.scope != scope:
        if scope.sees(source.scope):
            what = f"`{named.source}` is outside the loop `{scope.loops[-1]}`, and `{step.id}` inside."
            loop = scope.loops[len(source.scope.loops)]
            yield Finding(named.pointer, what, f"Write `after: {named}` at the loop `{loop}`.")
        else:
            yield Finding(named.pointer, *names.out_of_sight(source, scope))
    else:
        yield from _check_port(named, source)


def _check_port(named: Named, source: Source) -> Iterator[Finding]:
    port = named.port
    if source.is_trigger:
        if port not in {None, "done", "skipped", "settled"}:
            what = f"`{source.id}` is a trigger: it has no port `{port}`."
            yield Finding(named.pointer, what, f"Name it alone: `after: {source.id}`.")
    elif port is None:
        if not source.has_bare_meaning:
            yield Finding(named.pointer, *name_a_port(source))
    elif port == "error" and source.has_on_error:
        what = f"`{source.id}` has `on_error`, so its failure never takes the `error` port."
        do = f"Remove `on_error`, or name `{source.id}.settled` and read `errors.{source.id}`."
        yield Finding(named.pointer, what, do)
    elif port not in (*source.ports, *COMMON_PORTS):
        known = tuple(dict.fromkeys((*source.ports, *COMMON_PORTS)))
        what = f"`{source.id}` has no port `{port[:60]}`.{did_you_mean(port, known)}"
        yield Finding(named.pointer, what, f"Ports of `{source.id}`: {', '.join(known)}.")


def name_a_port(source: Source, loop: str = "") -> tuple[str, str]:
    """What to say where a step with several ports is named bare; `loop` is the one that waits for it, if one does."""
    ports = list(source.ports)
    what = f"`{source.id}` can end as {either(ports)}."
    where = f" at the loop `{loop}`" if loop else ""
    return what, f"Name one{where}: `after: {source.id}.{ports[0]}`; `{source.id}.settled` if any will do."


def check_mentions(flow: FlowModel, uses: list[Use], names: Names) -> Iterator[Finding]:
    """Every `steps.x` and `errors.x`: it exists, can be seen, and of several ports one is named."""
    after = {step.id: step.after for step in flow.walk()}
    for use in uses:
        spot, mention = use.text.spot, use.mention
        source = names.sources.get(mention.id)
        if mention.id == "" or "execution" not in spot.names:
            continue  # the analysis, or the check of triggers, has said that no step can stand here
        if source is None:
            yield at_use(use, *names.unknown(mention.id, spot.scope, triggers=False))
        elif source.is_trigger:
            do = f"What it hands over is `trigger`; `after: {source.id}` waits for it."
            yield at_use(use, f"`{source.id}` is a trigger, not a step.", do)
        elif not spot.scope.sees(source.scope):
            yield at_use(use, *names.out_of_sight(source, spot.scope))
        elif _names_no_port(use, source, after.get(waiter := waiter_of(use, source) or "", ())):
            yield at_use(use, *name_a_port(source, waiter if waiter in spot.scope.loops else ""))


def _names_no_port(use: Use, source: Source, after: tuple[After, ...]) -> bool:
    """Whether a value is wanted from a step with several ports, and nothing says of which.

    `after` is that of the step that waits for it: the owner of the expression, or the loop around it.
    """
    mention = use.mention
    if mention.kind == "errors" or mention.way_out or source.has_bare_meaning or waiter_of(use, source) is None:
        return False
    named = [one for entry in after for one in (entry.members if isinstance(entry, Alternatives) else (entry,))]
    return not any(one.source == source.id for one in named)


def at_use(use: Use, what: str, do: str) -> Finding:
    """A finding at the very place of a mention."""
    return Finding(use.text.pointer, what, do, offset=use.hole.offset + use.mention.offset)


def check_circles(circles: list[list[str]], flow: FlowModel, uses: list[Use]) -> Iterator[Finding]:
    """Steps that wait for each other."""
    pointers = {step.id: step.pointer for step in reversed(list(flow.walk()))}
    for circle in circles:
        first = circle[0]
        if len(circle) == 1:
            inside = [use for use in uses if use.mention.id == first and first in use.text.spot.scope.loops]
            if inside:
                what = f"`{first}` is the loop around this: it has no value before its last turn ends."
                yield from (at_use(use, what, "Use `item` or `last`, or a step of the body.") for use in inside)
                continue
            yield Finding(
                pointers[first], f"`{first}` waits for itself.", "A step cannot use its own value.", at_key=True
            )
            continue
        path = ", which waits for ".join(quoted([name]) for name in [*circle[1:], first])
        what = f"`{first}` waits for {path}: a circle."
        yield Finding(
            pointers[first], what, "Remove one of these needs (`after`, or the mention that makes it).", at_key=True
        )

"""Holds what happened against what a case expects, and says what differs: where, what was expected, what came."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.values import Json, Pointer
from chalicelib.rehearsal.happened import Happened
from chalicelib.rehearsal.suite import Case, Expectation


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected."""

    pointer: Pointer
    """Where in the test file the expectation stands, or what it is about."""
    what: str
    """What differs: a path such as `sent.charge.amount`, or a sentence."""
    expected: Json | Missing = MISSING
    got: Json | Missing = MISSING


def compare(case: Case, went: Happened) -> list[Difference]:
    """Everything in which a case did not go as it says."""
    expect, at = case.expect, (*case.pointer, "expect")
    found = [Difference((*case.pointer, "mocks"), sentence) for sentence in went.unmocked]
    if expect.status != went.status:
        found.append(Difference((*at, "status"), "status", expect.status, went.status))
        if went.reason:
            found.append(Difference((*at, "status"), f"the reason: {went.reason}"))
        # Why the rest differs is said; only what was sent until then may tell more.
        return [*found, *_sent(expect, went, at)]
    found += _sets(expect, went, at)
    found += _sent(expect, went, at)
    if expect.has_output:
        found += differences(expect.output, went.output, (*at, "output"), "output")
    if expect.clock is not None and not _is_same_moment(expect, went.ended):
        got = _moment_text(went.ended) if went.ended is not None else "never"
        found.append(Difference((*at, "clock"), "clock", _moment_text(expect.clock), got))
    return found


def _sets(expect: Expectation, went: Happened, at: Pointer) -> Iterator[Difference]:
    """The steps that ran, were skipped, failed, and should not have; and the other way round."""
    lists = (("ran", expect.ran), ("skipped", expect.skipped), ("failed", expect.failed))
    for word, names in lists:
        if names is None:
            continue
        for name in names:
            fate = went.fates[name]
            if not getattr(fate, word):
                did = {"ran": "run", "skipped": "be skipped", "failed": "fail"}[word]
                yield Difference((*at, word), f"{word}: `{name}` was expected to {did}; it was: {fate.said}")
        for name, fate in went.fates.items():
            if getattr(fate, word) and name not in names:
                did = {
                    "ran": "ran, and was not expected to",
                    "skipped": "was skipped, and was not expected to be",
                    "failed": f"was not expected to fail; it was: {fate.said}",
                }[word]
                yield Difference((*at, word), f"{word}: `{name}` {did}")


def _sent(expect: Expectation, went: Happened, at: Pointer) -> Iterator[Difference]:
    for name, wanted in expect.sent.items():
        calls = went.calls.get(name, ())
        place = (*at, "sent", name)
        if not calls:
            said = went.fates[name].said if name in went.fates else "not run"
            yield Difference(place, f"sent.{name}: nothing was sent; the step was: {said}")
        elif not isinstance(wanted, list):
            for number, call in enumerate(calls):
                path = f"sent.{name}" if len(calls) == 1 else f"sent.{name}[{number}]"
                yield from differences(wanted, dict(call), place, path)
        elif len(wanted) != len(calls):
            yield Difference(place, f"sent.{name}: {len(wanted)} calls were expected, and there were {len(calls)}")
        else:
            for number, (one, call) in enumerate(zip(wanted, calls, strict=True)):
                yield from differences(one, dict(call), (*place, number), f"sent.{name}[{number}]")


def differences(expected: Json, got: Json | Missing, at: Pointer, path: str) -> Iterator[Difference]:
    """Where a value is not as expected: an object may have fields more, a list is the same throughout."""
    if isinstance(expected, dict) and isinstance(got, dict):
        yield from _in_objects(expected, got, at, path)
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        yield from _in_lists(expected, got, at, path)
    elif not is_same(expected, got):
        yield Difference(at, path, expected, got)


def _in_objects(expected: Mapping[str, Json], got: Mapping[str, Json], at: Pointer, path: str) -> Iterator[Difference]:
    for name, value in expected.items():
        yield from differences(value, got.get(name, MISSING), (*at, name), f"{path}.{name}")


def _in_lists(expected: Sequence[Json], got: Sequence[Json], at: Pointer, path: str) -> Iterator[Difference]:
    for index, (one, other) in enumerate(zip(expected, got, strict=True)):
        yield from differences(one, other, (*at, index), f"{path}[{index}]")


def is_same(expected: Json, got: Json | Missing) -> bool:
    """Whether two values are the same JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) == len(got) and all(map(is_same, expected, got))
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(is_same(expected[name], got[name]) for name in expected)
    return expected == got


def _is_same_moment(expect: Expectation, ended: datetime | None) -> bool:
    """To the second, unless the file says fractions of it."""
    if ended is None or expect.clock is None:
        return False
    return expect.clock == (ended if expect.is_clock_exact else ended.replace(microsecond=0))


def _moment_text(moment: datetime) -> str:
    text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return text.replace(".000Z", "Z")

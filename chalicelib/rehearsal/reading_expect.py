"""Reads `expect`: how a case must end, which of its steps run, what they send, what comes out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chalicelib.api.times import from_milliseconds, from_text
from chalicelib.errors import UsageError
from chalicelib.flow.entries import Catalogue, entry_of, schema_of
from chalicelib.flow.findings import did_you_mean, shown
from chalicelib.flow.plan import Plan, StepPlan
from chalicelib.flow.reading import Reader
from chalicelib.flow.values import Json, Pointer
from chalicelib.rehearsal.suite import Expectation

EXPECT_KEYS: Final = ("status", "ran", "skipped", "failed", "sent", "output", "clock")
STATUSES: Final = ("succeeded", "failed", "timed_out", "ignored", "refused")
"""`ignored`: the trigger's `if` is false. `refused`: the inputs do not fit. Neither starts an execution."""
NO_EXECUTION: Final = frozenset({"ignored", "refused"})


@dataclass(frozen=True, slots=True)
class ExpectReader:
    """Reads the expectations of one test file; what is wrong is kept by the reader of the whole."""

    reader: Reader
    plan: Plan
    catalogue: Catalogue

    def read(self, case: Mapping[str, Json], pointer: Pointer) -> Expectation:
        """What a case expects; that it succeeds, where it says nothing."""
        data = self.reader.optional_map(case, "expect", pointer, "{status: succeeded, ran: [charge]}")
        at: Pointer = (*pointer, "expect")
        self.reader.keys(data, EXPECT_KEYS, at, "`expect`")
        status = self.reader.choice(data, "status", STATUSES, at) or "succeeded"
        for key in ("ran", "skipped", "failed", "sent", "output", "clock"):
            if key in data and status in NO_EXECUTION:
                what = f"Where it is {status} there is no execution, and no `{key}`."
                self.reader.refuse((*at, key), what, "Take one of them away.", at_key=True)
        moment, is_exact = self._clock(data, at)
        return Expectation(
            status=status,
            ran=self._steps(data, "ran", at),
            skipped=self._steps(data, "skipped", at),
            failed=self._steps(data, "failed", at),
            sent=self._sent(data, at),
            output=data.get("output"),
            has_output="output" in data,
            clock=moment,
            is_clock_exact=is_exact,
        )

    def _steps(self, data: Mapping[str, Json], key: str, pointer: Pointer) -> tuple[str, ...] | None:
        """A list of steps, or one; None where the key is missing."""
        if key not in data:
            return None
        value = data[key]
        at: Pointer = (*pointer, key)
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list):
            self.reader.refuse(at, f"`{key}` is a list of steps, not {shown(value)}.", "Write [charge, confirm].")
            return None
        found: list[str] = []
        for index, name in enumerate(names):
            place = (*at, index) if isinstance(value, list) else at
            if not isinstance(name, str):
                self.reader.refuse(place, f"A step goes by its id, not by {shown(name)}.", "Write its id.")
            elif name in found:
                self.reader.refuse(place, f"`{name}` is named twice.", "Once is enough.")
            elif self._is_step(name, place, at_key=False):
                found.append(name)
        return tuple(found)

    def _is_step(self, name: str, pointer: Pointer, *, at_key: bool) -> bool:
        if name in self.plan.by_id:
            return True
        what = f"The flow has no step `{name[:60]}`.{did_you_mean(name, self.plan.by_id)}"
        self.reader.refuse(pointer, what, f"Its steps: {', '.join(self.plan.by_id)}.", at_key=at_key)
        return False

    def _sent(self, data: Mapping[str, Json], pointer: Pointer) -> dict[str, Json]:
        """The parameters that steps must be given: one object, or a list with one for each call."""
        given = self.reader.optional_map(data, "sent", pointer, "{charge: {amount: 1999}}")
        found: dict[str, Json] = {}
        for name, value in given.items():
            at: Pointer = (*pointer, "sent", name)
            if not self._is_step(name, at, at_key=True):
                continue
            step = self.plan.by_id[name]
            entries = [((*at, index), one) for index, one in enumerate(value)] if isinstance(value, list) else None
            for place, one in entries if entries is not None else [(at, value)]:
                if isinstance(one, dict):
                    self._check_parameters(step, one, place)
                else:
                    what = f"What `{name}` sends is an object of its parameters, not {shown(one)}."
                    self.reader.refuse(place, what, "Write {amount: 1999}, or a list of such.")
            found[name] = value
        return found

    def _check_parameters(self, step: StepPlan, names: Collection[str], pointer: Pointer) -> None:
        schema = schema_of(entry_of(self.catalogue, step.uses))
        properties = schema.get("properties")
        if schema.get("additionalProperties") is not False or not isinstance(properties, dict):
            return
        for name in names:
            if name not in properties:
                what = f"`{step.uses}` has no parameter `{name[:60]}`.{did_you_mean(name, properties)}"
                self.reader.refuse((*pointer, name), what, f"Its parameters: {', '.join(properties)}.", at_key=True)

    def _clock(self, data: Mapping[str, Json], pointer: Pointer) -> tuple[datetime | None, bool]:
        text = self.reader.text(data, "clock", pointer) if "clock" in data else ""
        if not text:
            return None, False
        try:
            return from_milliseconds(from_text(text, "expect.clock")), "." in text
        except UsageError:
            what = f"`clock` is a time with its zone, not {shown(text)}."
            self.reader.refuse((*pointer, "clock"), what, "Write one such as 2026-11-20T12:00:00Z.")
            return None, False

"""Reads `mocks`: what stands in for each step, held against the ports and the output that its node declares."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.flow.entries import Catalogue, entry_of
from chalicelib.flow.findings import did_you_mean, either, quoted, shown
from chalicelib.flow.model import LINKED, LOOPS
from chalicelib.flow.plan import Plan, StepPlan
from chalicelib.flow.reading import Reader
from chalicelib.flow.values import Json, Pointer
from chalicelib.kit.judge import PASSING
from chalicelib.kit.values import Failure
from chalicelib.rehearsal.contradictions import contradictions
from chalicelib.rehearsal.suite import Mock, Refusal, Reply, Script

MOCK_KEYS: Final = ("returns", "port", "error", "after")
ERROR_KEYS: Final = ("code", "message", "status", "retry_after", "detail")
_EXAMPLE: Final = "{returns: {id: 7}}"

_SENT: Final[Mapping[str, str]] = {"timeout": "maybe", "cut_off": "maybe", "lease_lost": "maybe", "connect": "no"}
"""Whether a request can have had an effect, by the failure's code; the service has answered any other."""

_PASSING_CODES: Final = frozenset({"timeout", "cut_off", "connect", "service"})
"""Codes of failures without a status that may be gone the next time (`engine.retry`)."""


@dataclass(frozen=True, slots=True)
class MockReader:
    """Reads the mocks of one test file; what is wrong is kept by the reader of the whole."""

    reader: Reader
    plan: Plan
    catalogue: Catalogue
    depths: Mapping[str, int]
    """By step: how many loops it stands in."""

    def read(self, data: Mapping[str, Json], pointer: Pointer) -> dict[str, Script]:
        """Every mock below a `mocks` key, by step."""
        found: dict[str, Script] = {}
        given = self.reader.optional_map(data, "mocks", pointer, f"{{some_step: {_EXAMPLE}}}")
        for name, value in given.items():
            at = (*pointer, "mocks", name)
            step = self.plan.by_id.get(name)
            if step is None:
                what = f"The flow has no step `{name[:60]}`.{did_you_mean(name, self.plan.by_id)}"
                self.reader.refuse(at, what, f"Its steps: {', '.join(self.plan.by_id)}.", at_key=True)
                continue
            is_tried_once = step.uses in LOOPS | LINKED
            script = self._script(step, value, at, self.depths[name] + (0 if is_tried_once else 1))
            if script is not None:
                found[name] = script
        return found

    def _script(self, step: StepPlan, value: Json, pointer: Pointer, depth: int) -> "Script | None":
        """One mock, or lists of them at most `depth` deep."""
        if not isinstance(value, list):
            return self._mock(step, value, pointer)
        if depth == 0:
            why = (
                f"A list is one mock for each attempt; `{step.uses}` has none."
                if step.uses in LOOPS | LINKED and not self.depths[step.id]
                else "Lists go by the turns of the loops around the step, then by attempts: this one is one too many."
            )
            self.reader.refuse(pointer, why, f"Write one mock: {_EXAMPLE}.")
            return None
        if not value:
            self.reader.refuse(pointer, "The list holds no mock.", f"Write at least one: [{_EXAMPLE}].")
            return None
        scripts = [self._script(step, one, (*pointer, index), depth - 1) for index, one in enumerate(value)]
        return tuple(each for each in scripts if each is not None)

    def _mock(self, step: StepPlan, value: Json, pointer: Pointer) -> Mock | None:
        data = self.reader.map(value, pointer, f"The mock of `{step.id}`", _EXAMPLE)
        if not isinstance(value, dict):
            return None
        self.reader.keys(data, MOCK_KEYS, pointer, "A mock")
        after = self.reader.duration(data, "after", pointer)
        if "error" in data:
            for key in ("returns", "port"):
                if key in data:
                    self.reader.refuse(
                        (*pointer, key), f"A mock with `error` has no `{key}`.", "A step fails or it gives a value."
                    )
            return self._refusal(step, data, pointer, after)
        if "returns" not in data and "port" not in data:
            what = f"The mock of `{step.id}` does not say what comes of the step."
            self.reader.refuse(pointer, what, f"Write `returns`, `port` or `error`, as in {_EXAMPLE}.")
            return None
        return self._reply(step, data, pointer, after)

    def _reply(self, step: StepPlan, data: Mapping[str, Json], pointer: Pointer, after: float | None) -> Reply | None:
        port = self._port(step, data, pointer)
        if port == "expired" and step.uses in LINKED and after is not None:
            what = "Nobody answers: how long that takes, the step's own `expires` says."
            self.reader.refuse((*pointer, "after"), what, "Take `after` away.", at_key=True)
        value = data.get("returns")
        if "returns" in data:
            schema = entry_of(self.catalogue, step.uses).get("output")
            self.reader.findings += contradictions(schema, value, (*pointer, "returns"), step.uses)
        return None if port is None else Reply(value, port, after)

    def _port(self, step: StepPlan, data: Mapping[str, Json], pointer: Pointer) -> str | None:
        """The port a mock is left by; None, and a finding, where it has no such port or does not say which."""
        ports = step.ports
        if "port" not in data:
            if ports == ("done",):
                return "done"
            what = f"`{step.id}` is left by {quoted(ports, 'or')}, and the mock does not say by which."
            self.reader.refuse(pointer, what, f"Add `port: {ports[0]}`.")
            return None
        port = data["port"]
        if isinstance(port, str) and port in ports:
            return port
        at = (*pointer, "port")
        if port == "error":
            self.reader.refuse(at, "A step that fails says how.", "Write error: {code: http_503} instead of `port`.")
        else:
            name = f"`{port[:60]}`" if isinstance(port, str) else shown(port)
            hint = did_you_mean(port, ports) if isinstance(port, str) else ""
            what = f"`{step.id}` (`{step.uses}`) has no port {name}.{hint}"
            self.reader.refuse(at, what, f"Its ports: {', '.join(ports)}.")
        return None

    def _refusal(
        self, step: StepPlan, data: Mapping[str, Json], pointer: Pointer, after: float | None
    ) -> Refusal | None:
        at = (*pointer, "error")
        if step.uses in LINKED:
            self.reader.refuse(at, f"`{step.uses}` never fails: it is left by {either(step.ports)}.", "Write `port`.")
            return None
        error = self.reader.map(data["error"], at, "`error`", "{code: http_503, message: too busy}")
        if not isinstance(data["error"], dict):
            return None
        self.reader.keys(error, ERROR_KEYS, at, "An error")
        code, message = self.reader.text(error, "code", at), self.reader.text(error, "message", at)
        status = self._status(error, at, code)
        pause = self.reader.duration(error, "retry_after", at)
        if not code and "status" not in error:
            self.reader.refuse(at, "An error has a `code` or a `status`.", "Write error: {code: http_503}.")
            return None
        code = code or f"http_{status}"
        return Refusal(
            Failure(
                code,
                message or f"The mock of `{step.id}` fails so.",
                status,
                is_retriable=status in PASSING if status is not None else code in _PASSING_CODES,
                retry_after_seconds=pause,
                sent=_SENT.get(code, "answered"),
                detail=error.get("detail"),
            ),
            after,
        )

    def _status(self, error: Mapping[str, Json], pointer: Pointer, code: str) -> int | None:
        """The status, as it is written or as the code has it."""
        digits = code.removeprefix("http_")
        in_code = int(digits) if code != digits and len(digits) == 3 and digits.isdecimal() else None
        if "status" not in error:
            return in_code
        status = error["status"]
        if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
            self.reader.refuse((*pointer, "status"), f"`status` is an HTTP status, not {shown(status)}.", "Write 503.")
            return None
        if in_code is not None and in_code != status:
            what = f"The code says {in_code}, and the status {status}."
            self.reader.refuse((*pointer, "status"), what, "Let both say the same, or leave one out.")
        return status

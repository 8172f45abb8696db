"""Running the author's program: which engine, under which limits, and what its failure is called."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.flow.dates import iso
from chalicelib.flow.values import Json
from chalicelib.kit.values import Failed, Failure, Moment, RunCode, Succeeded
from chalicelib.ports import Sandbox, SandboxLimits, SandboxModule
from chalicelib.sandbox.errors import ModuleTrappedError, PluginsNotHereError
from chalicelib.sandbox.languages import CodeMishap, code_request, engine, engine_hash, read_code_answer
from chalicelib.worker.redaction import Secrets

log = logging.getLogger("penstock.code")

MOST_SECONDS: Final = 10.0
FUEL_PER_SECOND: Final = 8_000_000_000
"""More than a processor of today spends in a second: it is the time that ends a program, wherever time can be told."""

_LEVELS: Final = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
_STOPPED: Final[Mapping[str, str]] = {
    "time": "it ran longer than {seconds:g} s",
    "fuel": "it ran longer than {seconds:g} s",
    "stack": "its calls are nested too deeply",
    "memory": "it needed more than 64 MB",
    "request": "its input is larger than 4 MB",
    "answer": "what it returned is larger than 4 MB",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Which step a program belongs to."""

    tenant: str
    execution: str
    step: str


class _Console:
    """Fulfils `ports.SandboxHost` for a program: it may log, and nothing else."""

    def __init__(self, place: Place, secrets: Secrets) -> None:
        self._place = place
        self._secrets = secrets

    async def http(self, asked: Mapping[str, Json]) -> Json:
        raise PluginsNotHereError("A program reaches no network.")

    async def kv(self, asked: Mapping[str, Json]) -> Json:
        raise PluginsNotHereError("A program keeps nothing.")

    def log(self, level: int, text: str) -> None:
        place = self._place
        extra = {"tenant": place.tenant, "execution": place.execution, "step": place.step}
        log.log(_LEVELS[level], "%s: %s", place.step, self._secrets.mask_text(text), extra=extra)


async def run_code(
    sandbox: Sandbox | None, ask: RunCode, place: Place, moment: Moment, seconds: float, secrets: Secrets
) -> Succeeded | Failed:
    """Run the program once, for so many seconds at most; raises what `ports.Sandbox.call` does but the traps."""
    if sandbox is None:
        return _failed("code_not_here", f"`code.{ask.language}` cannot run here: this deployment has no sandbox.")
    limits = SandboxLimits(seconds=min(seconds, MOST_SECONDS), fuel=int(min(seconds, MOST_SECONDS) * FUEL_PER_SECOND))

    async def load() -> bytes:
        return engine(ask.language)

    module = SandboxModule(engine_hash(ask.language), f"code.{ask.language}", load)
    request = code_request(ask.language, ask.code, ask.input, iso(moment.now), moment.seed.hex())
    console = _Console(place, secrets)
    try:
        answer = await sandbox.call(module, request, tenant=place.tenant, host=console, limits=limits)
    except ModuleTrappedError as error:
        why = _STOPPED.get(str(error.facts.get("reason")), "its engine failed").format(seconds=limits.seconds)
        return _failed("code_stopped", f"The program was stopped: {why}.")
    value = read_code_answer(answer)
    return _mishap(value) if isinstance(value, CodeMishap) else Succeeded(value)


def _mishap(mishap: CodeMishap) -> Failed:
    """Why a program gave nothing, in the words of its author's language."""
    message = mishap.message.rstrip(". ") or "an error without a message"
    at = f" in line {mishap.line}" if mishap.line else ""
    match mishap.kind:
        case "syntax":
            return _failed("code_syntax", f"The program cannot be read{at}: {message}.")
        case "thrown":
            return _failed("code_thrown", f"The program threw{at}: {message}.", is_retriable=mishap.retry)
        case "result":
            return _failed("code_result", f"The program gave no JSON value: {message}.")
        case "memory" | "stack":
            return _failed("code_stopped", f"The program was stopped{at}: {_STOPPED[mishap.kind]}.")
        case _:
            return _failed("code_stopped", f"The program was stopped: {message}.")


def _failed(code: str, message: str, *, is_retriable: bool = False) -> Failed:
    return Failed(Failure(code, message, is_retriable=is_retriable))

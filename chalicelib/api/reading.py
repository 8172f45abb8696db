"""What a REST request says, held against what its route declares: unknown names are refused, each by its name."""

from collections.abc import Iterable, Mapping

from chalicelib.api.content import content_type
from chalicelib.api.json_body import read_json
from chalicelib.api.request import Request
from chalicelib.api.schemas import BODIES, PARAMETERS
from chalicelib.api.tools import NOTHING
from chalicelib.errors import BodyUnreadableError, ParameterError, Problem, UsageError
from chalicelib.flow.findings import did_you_mean
from chalicelib.flow.inputs import fit_inputs
from chalicelib.flow.values import Json


def read_parameters(request: Request, schema: str) -> Mapping[str, Json]:
    """The query parameters; raises UsageError for those that are unknown, repeated, missing or unfit."""
    declared = PARAMETERS[schema] if schema else NOTHING
    given: dict[str, Json] = {}
    for name, value in request.query:
        if name in given:
            raise UsageError(f"The query parameter `{_short(name)}` stands twice. Give it once.")
        given[name] = value
    return _fitted(declared, given, "query", "query parameter")


def read_body(request: Request, schema: str) -> Mapping[str, Json]:
    """The body's fields; raises BodyUnreadableError where it is no JSON object, UsageError where a field is wrong."""
    declared = BODIES[schema] if schema else NOTHING
    body: Json = {}
    if request.body:
        kind = content_type(request.headers).kind
        if kind != "application/json":
            raise BodyUnreadableError(f"The body is {kind or 'of no kind'}; send Content-Type: application/json.")
        body = read_json(request.body)
    if not isinstance(body, dict):
        raise BodyUnreadableError("The body is JSON, but no object. Send {...}.")
    return _fitted(declared, body, "body", "field")


def _fitted(declared: Mapping[str, Json], given: Mapping[str, Json], where: str, what: str) -> Mapping[str, Json]:
    unknown = [
        Problem(f"{where}.{_short(name)}", 0, 0, f"There is no such {what}.{did_you_mean(name, declared)}", "")
        for name in given
        if name not in declared
    ]
    if unknown:
        known = ", ".join(declared) or "none"
        names = ", ".join(f"`{_short(name)}`" for name in _unknown_names(given, declared))
        raise UsageError(f"Unknown {what}: {names}. There are: {known}.", problems=unknown)
    if not declared:
        return given
    try:
        return fit_inputs(declared, given, where=where)
    except ParameterError as error:
        raise UsageError(error.detail, problems=error.problems) from error


def _unknown_names(given: Iterable[str], declared: Mapping[str, Json]) -> list[str]:
    return [name for name in given if name not in declared][:10]


def _short(name: str) -> str:
    """A name that somebody sent, bounded and printable."""
    return "".join(character if character.isprintable() else "?" for character in name[:60])

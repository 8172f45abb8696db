"""The OpenAPI 3.1 document, written from the table of routes and the schemas; nothing in it is said twice."""

from collections.abc import Mapping
from typing import Final

from chalicelib.api.routes import TABLE, Route
from chalicelib.api.schemas import ANSWERS, BODIES, PARAMETERS
from chalicelib.flow.values import Json

_PROBLEM: Final[dict[str, Json]] = {
    "description": "An error, as problem+json (RFC 9457).",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_PAGE_OR_PROBLEM: Final[dict[str, Json]] = {
    "description": "An error: problem+json, or a page for whoever asks for one.",
    "content": {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
        "text/html": {"schema": {"type": "string"}},
    },
}
_ANY_CONTENT: Final[dict[str, Json]] = {"*/*": {"schema": {}}}
_API: Final = "/api/v1/"
_FLOW_FILES: Final = frozenset({"publishing:publish"})
_BYTES: Final[dict[str, Json]] = {"application/octet-stream": {"schema": {}}}
_FLOW_FILE: Final[dict[str, Json]] = {
    "application/yaml": {"schema": {"type": "string"}},
    "application/json": {"schema": {"type": "object"}},
}
_IDEMPOTENCY_KEY: Final[dict[str, Json]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key from the same caller is the same execution; with another body it is a conflict.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def document(*, base_url: str = "", table: tuple[Route, ...] = TABLE) -> dict[str, Json]:
    """The description of every route, for machines."""
    paths: dict[str, Json] = {}
    for route in table:
        item = paths.setdefault(route.path, {})
        if isinstance(item, dict):
            item.update({method.lower(): _operation(route, method) for method in route.methods})
    schemas: dict[str, Json] = {**ANSWERS, **{name: _closed(declared) for name, declared in BODIES.items()}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Penstock",
            "version": "1",
            "description": "Publish flows, start them, look at their executions. Every error is problem+json.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url or "/"}],
        "security": [{"key": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key."},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-penstock",
                    "description": "A session (`penstock` without https); changes need X-Penstock-Csrf beside it.",
                },
            },
        },
    }


def operation_id(route: Route, method: str) -> str:
    """A name that no other operation has."""
    if route.path.startswith(_API):
        return route.handler.replace(":", "_")
    parts = [part.strip("{}") for part in route.path.split("/")[1:]]
    return "_".join([method.lower(), *parts])


def _operation(route: Route, method: str) -> dict[str, Json]:
    operation: dict[str, Json] = {
        "operationId": operation_id(route, method),
        "summary": route.summary,
        "tags": [_tag(route)],
        "parameters": [*_in_path(route), *_in_query(route), *([_IDEMPOTENCY_KEY] if route.takes == "Start" else [])],
        "responses": {
            **{str(status): _answer(schema, route) for status, schema in route.gives},
            "default": _PAGE_OR_PROBLEM if route.is_page else _PROBLEM,
        },
    }
    if route.role is None:
        operation["security"] = []
    else:
        operation["description"] = f"Needs the role {route.role.name.lower()}."
    if route.takes and method != "GET":
        operation["requestBody"] = _body(route)
    return operation


def _tag(route: Route) -> str:
    if route.is_hook:
        return "hooks"
    return route.path.removeprefix(_API).strip("/").split("/")[0].removesuffix(".json")


def _in_path(route: Route) -> list[Json]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _in_query(route: Route) -> list[Json]:
    if route.query in {"", "*"}:
        return []
    found: list[Json] = []
    for name, schema in PARAMETERS[route.query].items():
        shown = _shown(schema)
        description = shown.pop("description", "")
        found.append({"name": name, "in": "query", "required": False, "description": description, "schema": shown})
    return found


def _body(route: Route) -> Json:
    if route.takes == "*":
        content = _ANY_CONTENT if route.reads_itself else _FLOW_FILE if route.handler in _FLOW_FILES else _BYTES
        return {"required": not route.reads_itself, "content": content}
    required = bool(_required(BODIES[route.takes]))
    schema: Json = {"$ref": f"#/components/schemas/{route.takes}"}
    kinds = ["application/json", *(["application/x-www-form-urlencoded"] if route.is_page else [])]
    return {"required": required, "content": {kind: {"schema": schema} for kind in kinds}}


def _answer(schema: str, route: Route) -> Json:
    if not schema and not route.is_hook:
        return {"description": "Done."}
    if not schema:
        return {"description": "What the flow answers.", "content": _ANY_CONTENT}
    kind = "application/problem+json" if schema == "Problem" else "application/json"
    content: dict[str, Json] = {kind: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    if route.is_page:
        content["text/html"] = {"schema": {"type": "string"}}
    return {"description": f"{schema}.", "content": content}


def _closed(declared: Mapping[str, Json]) -> dict[str, Json]:
    """Declared properties as a schema of an object with no others."""
    return {
        "type": "object",
        "properties": {name: _shown(schema) for name, schema in declared.items()},
        "required": _required(declared),
        "additionalProperties": False,
    }


def _required(declared: Mapping[str, Json]) -> list[Json]:
    return [
        name
        for name, schema in declared.items()
        if isinstance(schema, dict) and "default" not in schema and not schema.get("optional")
    ]


def _shown(schema: Json) -> dict[str, Json]:
    """A declared property without the word that is ours alone."""
    return {key: value for key, value in schema.items() if key != "optional"} if isinstance(schema, dict) else {}

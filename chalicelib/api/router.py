"""From a path to its routes."""

from typing import NamedTuple
from urllib.parse import unquote

from chalicelib.api.routes import TABLE, Route


class Match(NamedTuple):
    """An address that exists: what it does by method, and what stands in its path, decoded."""

    routes: dict[str, Route]
    names: dict[str, str]


def route_at(match: Match | None, method: str) -> Route | None:
    """What a method does at an address; None where there is no such address, or it does not take the method."""
    return match.routes.get("GET" if method == "HEAD" else method) if match is not None else None


class Router:
    """Finds a path's routes, one dictionary per segment."""

    def __init__(self, table: tuple[Route, ...] = TABLE) -> None:
        self._root = _Node()
        for route in table:
            node, names = self._root, list[str]()
            for segment in route.path.split("/")[1:]:
                if segment.startswith("{"):
                    names.append(segment[1:-1])
                    node.any = node.any or _Node()
                    node = node.any
                else:
                    node = node.literal.setdefault(segment, _Node())
            node.names = tuple(names)
            for method in route.methods:
                node.routes[method] = route

    def match(self, path: str) -> Match | None:
        """The routes at a percent-encoded path; None where there is nothing."""
        node, values = self._root, list[str]()
        for segment in path.split("/")[1:]:
            literal = node.literal.get(segment)
            if literal is not None:
                node = literal
                continue
            if node.any is None or not segment:
                return None
            node = node.any
            values.append(segment)
        if not node.routes or not path.startswith("/"):
            return None
        try:
            decoded = [unquote(value, errors="strict") if "%" in value else value for value in values]
        except UnicodeDecodeError:
            return None
        return Match(node.routes, dict(zip(node.names, decoded, strict=True)))


class _Node:
    """A place in the tree of paths."""

    __slots__ = ("any", "literal", "names", "routes")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.names: tuple[str, ...] = ()
        self.routes: dict[str, Route] = {}


def allowed(routes: dict[str, Route]) -> list[str]:
    """The methods that an address takes, as the Allow header names them."""
    return [*routes, *(["HEAD"] if "GET" in routes and not routes["GET"].is_hook else []), "OPTIONS"]

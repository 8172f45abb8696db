"""A JSON value with one part changed: what lies on the way to it is copied, nothing else, and nothing in place."""

from collections.abc import Callable
from typing import TypeAlias

from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.values import Json
from chalicelib.nodes.json.pointers import follow, index_of, step

Parts: TypeAlias = tuple[str, ...]
"""A JSON Pointer, read."""

Parent: TypeAlias = dict[str, Json] | list[Json]
"""What other values can lie in."""


def taken(value: Json, path: Parts) -> Json:
    """What lies there; LookupError where nothing does."""
    found = follow(value, path)
    if found is MISSING:
        raise LookupError("nothing lies there")
    return found


def put_in(value: Json, path: Parts, new: Json) -> Json:
    """The value with a field set, or with an entry put before another; LookupError where it has no place."""
    if not path:
        return new

    def put(parent: Parent, name: str) -> Json:
        if isinstance(parent, dict):
            return {**parent, name: new}
        index = len(parent) if name == "-" else index_of(name, len(parent) + 1)
        if index is None:
            raise LookupError("the list has no such place")
        return [*parent[:index], new, *parent[index:]]

    return _changed(value, path, put)


def replaced(value: Json, path: Parts, new: Json) -> Json:
    """The value with another one in place of what lies there; LookupError where nothing does."""
    taken(value, path)
    if not path:
        return new
    return _changed(value, path, lambda parent, name: _with(parent, name, new))


def removed(value: Json, path: Parts) -> Json:
    """The value without what lies there; LookupError where nothing does."""
    taken(value, path)
    if not path:
        return None

    def remove(parent: Parent, name: str) -> Json:
        if isinstance(parent, dict):
            return {key: item for key, item in parent.items() if key != name}
        return [*parent[: int(name)], *parent[int(name) + 1 :]]

    return _changed(value, path, remove)


def _changed(value: Json, path: Parts, change: Callable[[Parent, str], Json]) -> Json:
    """The value with its part above the path's last name changed; everything on the way is copied, nothing else."""
    way: list[Parent] = []
    found: Json | Missing = value
    for part in path:
        parent = found if isinstance(found, dict | list) else None
        if parent is None:
            raise LookupError("nothing can lie there: what is above is no object and no list")
        way.append(parent)
        found = step(parent, part)
    new: Json = change(way[-1], path[-1])
    for parent, part in zip(reversed(way[:-1]), reversed(path[:-1]), strict=True):
        new = _with(parent, part, new)
    return new


def _with(parent: Parent, part: str, new: Json) -> Parent:
    if isinstance(parent, dict):
        return {**parent, part: new}
    index = int(part)
    return [*parent[:index], new, *parent[index + 1 :]]


def count_values(value: Json, limit: int) -> int:
    """How many values it consists of, itself included; counting stops beyond the limit."""
    count = 0
    todo: list[Json] = [value]
    while todo and count <= limit:
        one = todo.pop()
        count += 1
        if isinstance(one, dict):
            todo.extend(one.values())
        elif isinstance(one, list):
            todo.extend(one)
    return count

"""Whole numbers beyond 2^53, which JSONata would change silently: in there they are text (design 3.3).

JSONata computes in doubles: 9007199254740993 comes out one smaller, and beyond 64 bits jsonatapy refuses the document.
Looking through a document costs about 40 ns a value, so it is done once: when an expression that is no plain path first
needs the value. A `Screen` remembers the outcome for as long as its owner (the worker, for one execution) keeps it, by
the identity of the value; that is sound because values are never changed. A document without such numbers, nearly every
one, is passed as it is.
"""

from collections.abc import Collection, Mapping

from chalicelib.errors import ExpressionError
from chalicelib.flow.values import Json

EXACT_LIMIT = 2**53
"""Up to here every whole number is a double (IEEE 754)."""

_SHELVES = ("steps", "errors")
"""Names of the scope that only hold values under step ids; each of those is looked through by itself."""


class Screen:
    """Remembers which values hold whole numbers beyond 2^53, and what they look like with those as text."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        # The value itself is kept too, so that its id cannot come to mean another one.
        self._seen: dict[int, tuple[Json, Json]] = {}

    def view(self, scope: Mapping[str, Json], words: Collection[str]) -> Mapping[str, Json]:
        """The scope for JSONata: itself where it can be, else a copy of the parts that had to change.

        `words` are all words of the expression; what it does not spell it cannot reach, and that is left alone.
        """
        changed: dict[str, Json] = {}
        for name, part in scope.items():
            if name not in words:
                continue
            if name in _SHELVES and isinstance(part, dict):
                shelf = {key: self._exact(value) for key, value in part.items() if key in words}
                if any(shelf[key] is not part[key] for key in shelf):
                    changed[name] = {**part, **shelf}
            elif (exact := self._exact(part)) is not part:
                changed[name] = exact
        return {**scope, **changed} if changed else scope

    def _exact(self, value: Json) -> Json:
        if not isinstance(value, list | dict):
            return _with_text(value)
        seen = self._seen.get(id(value))
        if seen is None:
            try:
                seen = (value, value if is_exact(value) else _with_text(value))
            except RecursionError as error:
                raise ExpressionError(
                    "a value is nested too deeply for an expression.  ->  Pass it through a plain path."
                ) from error
            self._seen[id(value)] = seen
        return seen[1]


def is_exact(value: Json) -> bool:
    """Whether every whole number in the value is a double."""
    todo: list[Json] = [value]
    while todo:
        holder = todo.pop()
        for item in holder.values() if isinstance(holder, dict) else holder if isinstance(holder, list) else (holder,):
            kind = item.__class__
            if kind is dict or kind is list:
                todo.append(item)
            elif kind is int and not -EXACT_LIMIT <= item <= EXACT_LIMIT:  # type: ignore[operator]
                return False
    return True


def _with_text(value: Json) -> Json:
    """The value with every whole number beyond 2^53 as text; parts without one are shared, not copied."""
    match value:
        case bool():
            return value
        case int():
            return value if -EXACT_LIMIT <= value <= EXACT_LIMIT else str(value)
        case list():
            items = [_with_text(item) for item in value]
            return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        case dict():
            fields = {key: _with_text(item) for key, item in value.items()}
            return fields if any(fields[key] is not value[key] for key in fields) else value
        case _:
            return value

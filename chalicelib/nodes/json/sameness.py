"""Whether two JSON values are the same (RFC 6902, section 4.6)."""

from chalicelib.flow.values import Json


def is_same(one: Json, other: Json) -> bool:
    """Numbers by their value, text by its characters, lists by order, objects regardless of it; true is not 1."""
    todo: list[tuple[Json, Json]] = [(one, other)]
    while todo:
        left, right = todo.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            if left.keys() != right.keys():
                return False
            todo.extend((item, right[key]) for key, item in left.items())
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            todo.extend(zip(left, right, strict=True))
        elif isinstance(left, bool) is not isinstance(right, bool) or left != right:
            return False
    return True

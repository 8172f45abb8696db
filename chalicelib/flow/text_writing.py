"""Writes data as YAML in the way we teach it: block style, text in double quotes or in blocks where it needs them."""

import json

from chalicelib.flow.text_quoting import block, is_plain, quoted
from chalicelib.flow.values import Json

_STEP = 2


def write_yaml(data: Json) -> str:
    """Write a value whose like JSON can say; a map or list spans lines, anything else is one line."""
    lines: list[str] = []
    if isinstance(data, dict | list) and data:
        _write_into(lines, data, 0)
    else:
        lines.append(_scalar(data, 0))
    return "\n".join(lines) + "\n"


def _write_into(lines: list[str], data: "dict[str, Json] | list[Json]", indent: int) -> None:
    pad = " " * indent
    if isinstance(data, dict):
        for key, value in data.items():
            name = key if is_plain(key) else quoted(key)
            _write_entry(lines, f"{pad}{name}:", value, indent)
        return
    for value in data:
        first = len(lines)
        if isinstance(value, dict | list) and value:
            _write_into(lines, value, indent + _STEP)
            # The first line of the item stands on the line of its dash.
            lines[first] = f"{pad}- {lines[first][indent + _STEP :]}"
        else:
            lines.append(f"{pad}- {_scalar(value, indent)}")


def _write_entry(lines: list[str], head: str, value: Json, indent: int) -> None:
    if isinstance(value, dict | list) and value:
        lines.append(head)
        _write_into(lines, value, indent + _STEP)
    else:
        lines.append(f"{head} {_scalar(value, indent)}")


def _scalar(value: Json, indent: int) -> str:
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    if is_plain(value):
        return value
    if "\n" in value and (written := block(value, indent + _STEP)) is not None:
        return written
    return quoted(value)

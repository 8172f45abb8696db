"""Objects with some of their fields taken, left out or renamed; nothing is changed in place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.errors import ParameterError
from chalicelib.flow.values import Json
from chalicelib.nodes.data.fields import read_path


@dataclass(frozen=True, slots=True)
class Branch:
    """Fields as a tree: `a` and `b.c` are two branches, of which the second goes on. `ends` means: here, whole."""

    ends: bool = False
    to: str | None = None
    """The new name of what lies here, for a renaming."""
    below: dict[str, "Branch"] = field(default_factory=dict[str, "Branch"])


def tree_of(fields: Iterable[str], names: Mapping[str, str] | None = None) -> Branch:
    """The fields as a tree; `names` are new names by field. Raises ParameterError for indexes and the empty path."""
    root = Branch()
    for text in fields:
        path = read_path(text)
        if not path or any(isinstance(key, int) for key in path):
            raise ParameterError(
                f"`{text}` cannot be used here: name a field, without an index. A list on the way means all its rows."
            )
        at = root
        for key in path[:-1]:
            at = at.below.setdefault(str(key), Branch())
        last = at.below.get(str(path[-1]), Branch())
        at.below[str(path[-1])] = Branch(ends=True, to=(names or {}).get(text), below=last.below)
    return root


def pick(value: Json, tree: Branch) -> Json:
    """Only the fields named, in the order they have in the value; objects on the way keep their shape."""
    if isinstance(value, list):
        return [pick(item, tree) for item in value]
    if not isinstance(value, dict):
        return value
    picked: dict[str, Json] = {}
    for key, item in value.items():
        branch = tree.below.get(key)
        if branch is None:
            continue
        if branch.ends:
            picked[key] = item
        elif isinstance(item, dict | list):
            picked[key] = pick(item, branch)
    return picked


def omit(value: Json, tree: Branch) -> Json:
    """All fields but those named."""
    if isinstance(value, list):
        return [omit(item, tree) for item in value]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Json] = {}
    for key, item in value.items():
        branch = tree.below.get(key)
        if branch is None:
            kept[key] = item
        elif not branch.ends:
            kept[key] = omit(item, branch)
    return kept


def rename(value: Json, tree: Branch, place: str) -> Json:
    """The same with fields renamed, each at its place; ParameterError where two would have one name."""
    if isinstance(value, list):
        return [rename(item, tree, f"{place}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    renamed: dict[str, Json] = {}
    for key, item in value.items():
        branch = tree.below.get(key)
        name = key if branch is None or branch.to is None else branch.to
        if name in renamed:
            raise ParameterError(f"In `{place}` two fields would be called `{name}`. Omit or rename one of them.")
        renamed[name] = item if branch is None or not branch.below else rename(item, branch, f"{place}.{key}")
    return renamed

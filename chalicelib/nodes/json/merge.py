"""`json.merge`."""

from chalicelib.errors import ParameterError
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Anything
from chalicelib.nodes.json.texts import DEEPEST, is_deeper


class Merge(Action):
    """Change a value by a merge patch (RFC 7396): fields given replace those there are, null removes one.

    Objects are merged field by field, at every level; lists are replaced whole.
    """

    example = Example(
        given={
            "value": {"title": "Old", "author": {"name": "Ada", "mail": "a@x.org"}, "tags": ["a", "b"]},
            "patch": {"title": "New", "author": {"mail": None}, "tags": ["c"]},
        },
        returns={"title": "New", "author": {"name": "Ada"}, "tags": ["c"]},
    )

    value: Anything
    """The value to change."""
    patch: Anything
    """What is different: an object with the fields to set, and null for those to remove."""

    def run(self) -> Json:
        """The changed value; what was given stays as it is."""
        if is_deeper(self.patch, DEEPEST):
            raise ParameterError(f"`patch` is nested deeper than {DEEPEST} levels.")
        return _merged(self.value, self.patch)


def _merged(value: Json, patch: Json) -> Json:
    """RFC 7396, section 2, MergePatch, without changing the target."""
    if not isinstance(patch, dict):
        return patch
    target = dict(value) if isinstance(value, dict) else {}
    for key, change in patch.items():
        if change is None:
            target.pop(key, None)
        else:
            target[key] = _merged(target.get(key), change)
    return target

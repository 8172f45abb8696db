"""Arbitrary JSON, and what a pure node may do with it: return a value, or fail by name."""

import json
from collections.abc import Generator
from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.errors import ParameterError
from chalicelib.kit.action import Action
from chalicelib.kit.values import Failed, GetMoment
from tests.talk import MOMENT

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**53, max_value=2**200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["", "a", "12", "0.10", "2026-11-20", "true", "\ud800", "a.b", "=1", "Ä ß", "😀", "#text", "@a"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc") | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
rows = st.lists(st.dictionaries(st.sampled_from("abc"), values, max_size=3) | values, max_size=6)
objects = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c", "a.b"]), values, max_size=3), max_size=6)
fields = st.sampled_from(["", "a", "b", "a.b", "c[0]", "[0]", "a[-1].b", "'a.b'"]) | st.text(max_size=6)


def nested(depth: int) -> Any:
    """A list in a list in a list ..."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def outcome(node: type[Action], given: dict[str, Any]) -> Any:
    """The value, or the code of the failure; anything else that is raised fails the test, and so does what is not JSON."""
    try:
        answer = node.model_validate(given).run()
        if isinstance(answer, Generator):
            answer = _answered(answer)
    except (ValidationError, ParameterError):
        return "refused"
    if isinstance(answer, Failed):
        assert answer.failure.code
        assert answer.failure.message.endswith((".", "."))
        return answer.failure.code
    json.dumps(answer, allow_nan=False)
    return answer


def _answered(conversation: Generator[Any, Any, Any]) -> Any:
    try:
        ask = next(conversation)
        while True:
            assert isinstance(ask, GetMoment)
            ask = conversation.send(MOMENT)
    except StopIteration as end:
        return end.value


def ran(node: type[Action], **given: Any) -> Any:
    """What the node returns for these parameters."""
    answer = node.model_validate(given).run()
    return _answered(answer) if isinstance(answer, Generator) else answer

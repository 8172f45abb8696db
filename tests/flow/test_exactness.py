"""Whole numbers beyond 2^53 on their way into JSONata."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.flow.exactness import Screen, is_exact
from chalicelib.flow.values import Json

BIG = 2**53 + 1


def test_only_whole_numbers_beyond_two_to_the_53_become_text():
    scope: dict[str, Json] = {
        "a": {"edge": 2**53, "low": -(2**53), "big": BIG, "huge": -(2**70), "b": True, "f": 1e300}
    }
    assert Screen().view(scope, {"a"}) == {
        "a": {"edge": 2**53, "low": -(2**53), "big": str(BIG), "huge": str(-(2**70)), "b": True, "f": 1e300}
    }
    assert scope["a"] == {"edge": 2**53, "low": -(2**53), "big": BIG, "huge": -(2**70), "b": True, "f": 1e300}


def test_a_scope_without_such_numbers_is_passed_as_it_is():
    scope: dict[str, Json] = {"a": {"n": [1, 2.5, {"x": "y"}]}, "steps": {"s": {"id": 5}}, "n": 7}
    assert Screen().view(scope, {"a", "steps", "s", "n"}) is scope


def test_parts_without_such_numbers_are_shared():
    kept: Json = {"rows": [1, 2]}
    view = Screen().view({"a": {"kept": kept, "big": BIG}}, {"a"})
    part = view["a"]
    assert isinstance(part, dict)
    assert part["kept"] is kept


def test_what_an_expression_does_not_spell_is_left_alone():
    scope: dict[str, Json] = {"a": {"big": BIG}, "steps": {"one": BIG, "two": [BIG]}, "n": BIG}
    view = Screen().view(scope, {"steps", "two", "n"})
    assert view == {"a": {"big": BIG}, "steps": {"one": BIG, "two": [str(BIG)]}, "n": str(BIG)}


def test_a_value_is_looked_through_once_however_often_it_is_used():
    class Counted(dict[str, Json]):
        looks = 0

        def values(self):  # type: ignore[no-untyped-def]
            Counted.looks += 1
            return super().values()

    body = Counted(x=1)
    screen = Screen()
    for _ in range(5):
        screen.view({"trigger": body}, {"trigger"})
    assert Counted.looks == 1


def test_two_values_are_never_taken_for_each_other():
    screen = Screen()
    for number in range(200):
        view = screen.view({"a": [BIG + number]}, {"a"})
        assert view["a"] == [str(BIG + number)]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_a_view_holds_no_such_number_and_is_the_same_object_exactly_if_there_was_none(value: Json):
    view = Screen().view({"a": value}, {"a"})["a"]
    assert is_exact(view)
    assert (view is value) == is_exact(value)

"""The page of expressions lists every function, as the code has them."""

import pytest

from chalicelib.flow.function_table import FUNCTIONS
from tools.function_docs import BEGIN, END, PAGE, section, updated


def test_the_page_is_up_to_date():
    page = PAGE.read_text(encoding="utf-8")
    assert updated(page) == page, "run `python -m tools.function_docs`"


def test_every_function_has_a_row_with_its_example():
    text = section()
    for name, function in FUNCTIONS.items():
        assert text.count(f"\n| `${name}(") == 1
        assert function.example.replace("\n", " ") in text


def test_what_stands_between_the_markers_is_replaced_and_nothing_else():
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    new = updated(page)
    assert new.startswith("before\n")
    assert new.endswith("\nafter\n")
    assert "old" not in new
    assert updated(new) == new


def test_a_page_without_markers_is_refused():
    with pytest.raises(ValueError, match="markers"):
        updated("nothing here")

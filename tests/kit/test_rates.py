"""Rates as people write them."""

import pytest

from chalicelib.kit.rates import Rate, parse_rate


def test_a_rate_is_a_number_and_a_unit():
    assert parse_rate("100/minute") == Rate(100, 60)
    assert [parse_rate(f"1/{unit}").seconds for unit in ("second", "minute", "hour", "day")] == [1, 60, 3_600, 86_400]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "100",
        "0/minute",
        "-1/minute",
        "1.5/minute",
        "100/min",
        "100 / minute",
        "1000000/day",
        "\u0661/day",
        "1/day\n",
    ],
)
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="100/minute"):
        parse_rate(text)

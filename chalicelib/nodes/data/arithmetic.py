"""Sums and averages of decimal numbers, exact until the last step."""

from collections.abc import Iterable
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from fractions import Fraction

from chalicelib.errors import ParameterError

_EXACT = Context(prec=20_000, traps=[Inexact, InvalidOperation, Overflow])
"""Digits enough for any sum of JSON numbers (10^308 and 10^-324 side by side need 633); rounding is an error."""

_LARGEST = 10**4_000
"""Whole numbers beyond this cannot be written as text any more (CPython's limit is 4,300 digits)."""


def total(numbers: Iterable[int | Decimal]) -> int | Decimal:
    """The exact sum: 0.1 and 0.2 make 0.3. Raises ParameterError where the numbers differ too much in size."""
    whole = 0
    broken = Decimal(0)
    try:
        for number in numbers:
            if isinstance(number, int):
                whole += number
            else:
                broken = _EXACT.add(broken, number)
        return _EXACT.add(broken, Decimal(whole)) if broken else whole
    except (Inexact, InvalidOperation, Overflow) as error:
        raise ParameterError("These numbers differ too much in size to be added exactly.") from error


def to_number(value: int | Decimal | Fraction) -> int | float:
    """The nearest number that JSON can hold: whole where it is whole. Raises ParameterError beyond all of them."""
    if isinstance(value, Decimal):
        if value.adjusted() > 4_000:
            raise ParameterError("The result is too large to be written as a number.")
        value = int(value) if value == value.to_integral_value(context=_EXACT) else Fraction(value)
    if isinstance(value, Fraction) and value.denominator != 1:
        try:
            return float(value)
        except OverflowError as error:
            raise ParameterError("The result is too large to be written as a number.") from error
    whole = int(value)
    if abs(whole) > _LARGEST:
        raise ParameterError("The result is too large to be written as a number.")
    return whole


def average(numbers: list[int | Decimal]) -> int | float:
    """The mean, rounded once, at the end. The list must not be empty."""
    return to_number(Fraction(total(numbers)) / len(numbers))

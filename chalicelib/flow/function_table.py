"""Every function an expression may call, by name."""

from collections.abc import Mapping

from chalicelib.flow.functions import Function
from chalicelib.flow.functions_jsonata import REPLACEMENTS
from chalicelib.flow.functions_text import TEXT_FUNCTIONS
from chalicelib.flow.functions_time import TIME_FUNCTIONS
from chalicelib.flow.functions_values import VALUE_FUNCTIONS

FUNCTIONS: Mapping[str, Function] = {**VALUE_FUNCTIONS, **TEXT_FUNCTIONS, **TIME_FUNCTIONS}
"""Ours, in the order the documentation lists them; names without the `$`."""

REGISTERED: Mapping[str, Function] = {**FUNCTIONS, **REPLACEMENTS}
"""What `flow/expressions.py` hands to JSONata where an expression names it."""

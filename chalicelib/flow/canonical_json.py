"""The text that a flow version is the hash of; apart from `text`, since a cold start makes plans and reads no file."""

import json

from chalicelib.errors import FlowTextError
from chalicelib.flow.values import Json


def to_json(data: Json) -> str:
    """Write the text that a version's hash is made of: the author's key order, no spaces, characters as they are.

    Whole numbers are exact, floats as `repr` writes them. FlowTextError for what JSON cannot say: NaN, infinities,
    half characters.
    """
    try:
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode("utf-8")
    except (ValueError, TypeError, RecursionError) as error:
        reason = "half a character stands in a text" if isinstance(error, UnicodeError) else str(error)
        raise FlowTextError(f"This cannot be written as JSON: {reason}.") from error
    return text

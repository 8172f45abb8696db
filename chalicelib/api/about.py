"""What anybody may ask: whether the server answers, and what it understands."""

from chalicelib.api.request import Answer, json_answer
from chalicelib.api.tools import Call


async def health(call: Call) -> Answer:
    """It answers."""
    del call
    return json_answer({"status": "ok"})


async def openapi(call: Call) -> Answer:
    """The description of every route (OpenAPI 3.1)."""
    from chalicelib.api.openapi import document  # imported late: only this route needs it

    return json_answer(document(base_url=call.tools.settings.base_url))

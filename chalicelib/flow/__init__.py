"""What a flow is: text, expressions, check and plan. Pure; loading a plan needs no pydantic: nothing is re-exported."""

"""Field types that say which widget to draw and how an expression in that place is read."""

from typing import Annotated, Any

from pydantic import Field

from chalicelib.kit.values import Json

LongText = Annotated[str, Field(json_schema_extra={"widget": "textarea"})]
"""Text of several lines."""

Anything = Annotated[Json, Field(json_schema_extra={"x-place": "untyped"})]
"""An untyped place: any JSON, expressions inside it included."""

AnyObject = Annotated[dict[str, Any], Field(json_schema_extra={"x-place": "untyped"})]
"""An untyped place that must be an object."""

Rows = Annotated[list[Any], Field(json_schema_extra={"x-place": "list"})]
"""A list parameter: one value becomes a list of one, nothing becomes an empty list."""

Condition = Annotated[bool, Field(json_schema_extra={"x-place": "condition"})]
"""True or false only; nothing found is false."""

FileReference = Annotated[dict[str, Any], Field(json_schema_extra={"x-place": "file", "widget": "file"})]
"""A file: `{"file", "name", "type", "size"}`, passed whole."""

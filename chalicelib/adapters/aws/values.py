"""Texts and numbers as DynamoDB's JSON has them, and back; and the one version that every record carries."""

import base64
from typing import Any

from chalicelib.adapters.aws.addresses import Item
from chalicelib.errors import StoreError

RECORD_VERSION = 1
VERSION: dict[str, Any] = {"N": str(RECORD_VERSION)}


def number(value: int) -> dict[str, Any]:
    """A whole number."""
    return {"N": str(value)}


def text(value: str) -> dict[str, Any]:
    """A text; one with lone surrogates, which DynamoDB refuses, as bytes."""
    if value.isascii():
        return {"S": value}
    try:
        value.encode()
    except UnicodeEncodeError:
        return {"B": base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()}
    return {"S": value}


def text_in(value: dict[str, Any]) -> str:
    """The text behind `text`."""
    found: str | None = value.get("S")
    return found if found is not None else base64.b64decode(value["B"]).decode("utf-8", "surrogatepass")


def number_in(item: Item, name: str, default: int = 0) -> int:
    """The whole number of this name in an item."""
    return int(item[name]["N"]) if name in item else default


def check_version(item: Item, what: str) -> None:
    """Raise StoreError for a record that a later Penstock wrote."""
    version = number_in(item, "v")
    if version > RECORD_VERSION:
        raise StoreError(
            f"{what} is of record version {version}; this Penstock reads {RECORD_VERSION}. Deploy the newer one."
        )


def size_of(item: Item) -> int:
    """An item's size in bytes as DynamoDB bills it (developer guide, "DynamoDB item sizes and formats")."""
    return sum(len(name) + _size(value) for name, value in item.items())


def _size(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content) if content.isascii() else len(content.encode())
        case "N":
            digits = content.lstrip("-").strip("0")
            return (len(digits) + 1) // 2 + 1 + content.startswith("-")
        case "B":
            return len(content) * 3 // 4 - content.count("=", -2)
        case _:
            return 1

"""What the nodes for AWS share: regions, errors as AWS writes them, its XML, its messages."""

import re
from collections.abc import Generator, Mapping
from html import unescape
from typing import Annotated, Any, Final
from xml.etree.ElementTree import Element, ParseError, fromstring

from pydantic import Field

from chalicelib.errors import StepFailedError
from chalicelib.kit.address import scalar_text
from chalicelib.kit.answers import as_object
from chalicelib.kit.encode import json_bytes
from chalicelib.kit.judge import own_words
from chalicelib.kit.values import Ask, GetMoment, Json, Moment, Response

Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d{1,2}$")]
"""An AWS region, such as `eu-central-1`."""

_CODE = re.compile(r"<Code>([^<]{1,200})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,2000})</Message>")
_LARGEST_XML: Final = 8_000_000


def aws_error(response: Response) -> str | None:
    """`NoSuchKey: The specified key does not exist.`, from an error in XML (REST, Query) or in JSON (AWS JSON)."""
    text = response.content[:20_000].decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        found = [match[1] for match in (_CODE.search(text), _MESSAGE.search(text)) if match]
        return unescape(": ".join(found)) or None
    if text.lstrip().startswith("{"):
        try:
            body = as_object(response.json)
        except (ValueError, RecursionError):
            return None
        code = str(body.get("__type") or body.get("code") or "").rpartition("#")[2]
        message = body.get("message") or body.get("Message") or ""
        return ": ".join(part for part in (code, str(message)) if part) or None
    return own_words(response)


def xml_of(response: Response) -> Element:
    """An answer's XML, its namespaces taken off; StepFailedError where it is none, or declares entities."""
    content = response.content
    if len(content) > _LARGEST_XML or b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\0" in content:
        raise StepFailedError("The answer is not XML as the service writes it.")
    try:
        root = fromstring(content)  # noqa: S314 - declarations are refused above, so no entity can grow
    except ParseError as error:
        raise StepFailedError("The answer is not XML that can be read.") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def message_text(message: Json) -> str:
    """A message as SQS and SNS carry it: text as it is, anything else as JSON."""
    return message if isinstance(message, str) else json_bytes(message).decode()


def deduplication_id_of(given: str | None, *, is_fifo: bool) -> Generator[Ask, Any, str | None]:
    """The deduplication id given; without one, a FIFO queue or topic gets the step's own, the same at every attempt."""
    if given is not None or not is_fifo:
        return given
    moment: Moment = yield GetMoment()
    return moment.seed.hex()


def message_attributes(attributes: Mapping[str, Json]) -> dict[str, dict[str, str]]:
    """Message attributes as SQS and SNS take them: numbers as `Number`, everything else as `String`."""
    return {
        name: {
            "DataType": "Number" if isinstance(value, int | float) and not isinstance(value, bool) else "String",
            "StringValue": scalar_text(value, f"with.attributes.{name[:60]}"),
        }
        for name, value in attributes.items()
        if value is not None
    }

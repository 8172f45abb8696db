"""`text.decode`."""

import base64
import binascii
import re
from html import unescape
from typing import Literal
from urllib.parse import unquote_to_bytes

from pydantic import Field

from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText
from chalicelib.kit.values import Failed, Failure, Json

_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LONG_REFERENCE = re.compile(r"&#[0-9]{9,}|&#[xX][0-9A-Fa-f]{9,}")
_FROM_URL_ALPHABET = str.maketrans("-_", "+/")


class Decode(Action):
    """Read text that is written as Base64, in hexadecimal, or escaped for an address or for HTML."""

    example = Example(given={"text": "R3LDvMOfZQ==", "from": "base64"}, returns="Grüße")
    more_examples = (
        Example(given={"text": "R3LDvMOfZQ", "from": "base64url"}, returns="Grüße", about="Without padding"),
        Example(given={"text": "a%20b+c", "from": "url"}, returns="a b+c", about="One part of an address"),
        Example(given={"text": "a%20b+c", "from": "form"}, returns="a b c", about="A form field, where + is a space"),
        Example(given={"text": "&lt;b&gt; &auml; &#8364;", "from": "html"}, returns="<b> ä €", about="HTML"),
    )

    text: LongText
    """The text to decode."""
    source: Literal["base64", "base64url", "hex", "url", "form", "html"] = Field(alias="from")
    """What it is written in; white space and missing padding in `base64`, `base64url` and `hex` do not matter."""

    def run(self) -> Json:
        """The decoded text; fails with `text_invalid` where it is not written so, or does not decode to UTF-8."""
        try:
            return self._decoded()
        except (binascii.Error, ValueError):
            # UnicodeDecodeError is a ValueError. Its message would repeat the text.
            return Failed(
                Failure("text_invalid", f"The text is not {self.source}, or what it stands for is not UTF-8.")
            )

    def _decoded(self) -> str:
        match self.source:
            case "base64" | "base64url":
                digits = "".join(self.text.split()).rstrip("=")
                if self.source == "base64url":
                    if "+" in digits or "/" in digits:
                        raise ValueError("not the alphabet of base64url")
                    digits = digits.translate(_FROM_URL_ALPHABET)
                return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True).decode()
            case "hex":
                return bytes.fromhex(self.text).decode()
            case "url" | "form":
                if _BROKEN_PERCENT.search(self.text):
                    raise ValueError("a percent sign without two digits")
                text = self.text.replace("+", " ") if self.source == "form" else self.text
                return unquote_to_bytes(text).decode()
            case "html":
                # No character has so high a number, and CPython refuses to read very long ones.
                return unescape(_LONG_REFERENCE.sub("&#1114112", self.text))

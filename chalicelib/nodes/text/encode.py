"""`text.encode`."""

import base64
from typing import Literal
from urllib.parse import quote

from chalicelib.errors import ParameterError
from chalicelib.flow.functions_text import html
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText


class Encode(Action):
    """Write text as Base64, in hexadecimal, or escaped for an address or for HTML."""

    example = Example(given={"text": "Grüße", "to": "base64"}, returns="R3LDvMOfZQ==")
    more_examples = (
        Example(given={"text": "a b/c&ä", "to": "url"}, returns="a%20b%2Fc%26%C3%A4", about="One part of an address"),
        Example(given={"text": '<b class="x">', "to": "html"}, returns="&lt;b class=&quot;x&quot;&gt;", about="HTML"),
    )

    text: LongText
    """The text to encode, as UTF-8."""
    to: Literal["base64", "base64url", "hex", "url", "html"]
    """`base64`, `base64url` (RFC 4648 section 5, no padding), `hex`, `url` (RFC 3986) or `html`."""

    def run(self) -> Json:
        """The encoded text."""
        try:
            content = self.text.encode()
        except UnicodeEncodeError as error:
            raise ParameterError("`text` has a lone surrogate, which no text in Unicode has.") from error
        match self.to:
            case "base64":
                return base64.b64encode(content).decode()
            case "base64url":
                return base64.urlsafe_b64encode(content).decode().rstrip("=")
            case "hex":
                return content.hex()
            case "url":
                return quote(content, safe="")
            case "html":
                return html(self.text)

"""`text.case`."""

import re
from typing import Literal

from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText

_BETWEEN = re.compile(r"[\W_]+")


class Case(Action):
    """Write text in capitals, small letters, or as a name in camelCase, snake_case and the like."""

    example = Example(given={"text": "order HTTPStatus code", "to": "snake"}, returns="order_http_status_code")
    more_examples = (
        Example(given={"text": "größe", "to": "upper"}, returns="GRÖSSE", about="Capitals"),
        Example(given={"text": "the o'neill case", "to": "title"}, returns="The O'neill Case", about="Each word"),
        Example(given={"text": "first_name", "to": "camel"}, returns="firstName", about="A name for JSON"),
    )

    text: LongText
    """The text to change."""
    to: Literal["upper", "lower", "title", "sentence", "camel", "pascal", "snake", "kebab"]
    """`UPPER`, `lower`, `Each Word`, `First letter`, `camelCase`, `PascalCase`, `snake_case` or `kebab-case`."""

    def run(self) -> Json:
        """The changed text; for the last four everything but letters and digits only parts words."""
        match self.to:
            case "upper":
                return self.text.upper()
            case "lower":
                return self.text.lower()
            case "title":
                return "".join(_capital(word) for word in re.split(r"(\s+)", self.text))
            case "sentence":
                return _capital(self.text)
            case "camel":
                first, *rest = self._words() or [""]
                return first + "".join(_capital(word) for word in rest)
            case "pascal":
                return "".join(_capital(word) for word in self._words())
            case "snake":
                return "_".join(self._words())
            case "kebab":
                return "-".join(self._words())

    def _words(self) -> list[str]:
        return [part.lower() for word in _BETWEEN.split(self.text) for part in _humps(word) if part]


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:].lower()


def _humps(word: str) -> list[str]:
    """The words inside `HTTPStatusCode`: a capital begins one after a small letter or digit, or before a small one."""
    parts: list[str] = []
    begin = 0
    for index in range(1, len(word)):
        follows_capital = word[index - 1].isupper()
        if word[index].isupper() and (not follows_capital or word[index + 1 : index + 2].islower()):
            parts.append(word[begin:index])
            begin = index
    return [*parts, word[begin:]]

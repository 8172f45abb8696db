"""The tokens of one expression, taken one by one, and what is said when they do not fit."""

from typing import NoReturn

from chalicelib.flow.mentions_found import Findings
from chalicelib.flow.tokens import Token, tokens

_LONGEST_QUOTE = 40
_BEGUN = {"`": "a name in back-ticks", "/": "a regular expression or a comment"}


class StoppedReading(Exception):  # noqa: N818
    """Nothing more can be read; what is wrong has been noted. Never leaves the reader."""


class Stream:
    """A list of tokens and a place in it."""

    def __init__(self, text: str, found: Findings) -> None:
        self._tokens = list(tokens(text))
        self._at = 0
        self._found = found

    @property
    def end(self) -> int:
        """Where the token taken last ends in the text."""
        return self._tokens[self._at - 1].end if self._at else 0

    def peek(self, ahead: int = 0) -> Token | None:
        """Look at a token that is still to come."""
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def following(self) -> list[Token]:
        """Look at the next three tokens."""
        return self._tokens[self._at : self._at + 3]

    def comes(self, *texts: str, ahead: int = 0) -> bool:
        """Say whether the next token is one of these operators or brackets."""
        token = self.peek(ahead)
        return token is not None and token.kind == "op" and token.text in texts

    def take(self) -> Token:
        """Take the next token, whatever it is."""
        token = self.peek()
        if token is None:
            self.stop(self.end, "The expression ends too early.", "Write what is missing at its end.")
        self._at += 1
        return token

    def take_if(self, text: str) -> bool:
        """Take the next token if it is this operator or bracket."""
        if self.comes(text):
            self._at += 1
            return True
        return False

    def expect(self, text: str) -> Token:
        """Take the next token, which must be this operator or bracket."""
        token = self.peek()
        if token is None:
            self.stop(self.end, f"The expression ends too early: `{text}` is missing.", f"Close it with `{text}`.")
        if not self.comes(text):
            self.refuse(token, f"Before it, `{text}` is missing.")
        self._at += 1
        return token

    def variable(self) -> str:
        """Take the name of a variable, which must come next, and give it without its dollar."""
        token = self.take()
        if token.kind != "variable" or token.text in {"$", "$$"}:
            self.refuse(token, "A variable belongs here, such as `$row`.")
        return token.text[1:]

    def path(self, first: Token) -> str:
        """Give the names and dots that go on from a first name, as written; nothing is taken."""
        behind, ahead = first.end, 0
        while self.comes(".", ahead=ahead) and (name := self.peek(ahead + 1)) is not None:
            if name.kind not in {"name", "quoted", "string"} or ahead > _LONGEST_QUOTE:
                break
            behind, ahead = name.end, ahead + 2
        return self._found.text[first.start : behind]

    def refuse(self, token: Token, do: str = "Compare it with what stands before it.") -> NoReturn:
        """Say that a token does not belong where it stands, and stop."""
        word = token.text if len(token.text) <= _LONGEST_QUOTE else token.text[: _LONGEST_QUOTE - 1] + "…"
        match token.kind:
            case "broken":
                begun = _BEGUN.get(word[0], "a text")
                self.stop(token.start, f"Here begins {begun} that never ends: {word}", "Close it.")
            case "unknown":
                from chalicelib.flow.lookalikes import name_of_letter, plain_letter  # imported late: for mistakes only

                if plain := plain_letter(word):
                    what = f"`{word}` ({name_of_letter(word)}) only looks like `{plain}`."
                    self.stop(token.start, what, f"Write a plain `{plain}`.")
                self.stop(token.start, f"JSONata has no use for `{word}`.", "Take it out, or put it in quotes.")
            case _:
                from chalicelib.flow.elsewhere import OPERATORS  # imported late, as above

                do = OPERATORS.get(word, do)
                if word == ">" and self._found.text[token.start - 1 : token.start] == "<":
                    do = "Unequal is $not(x = y), or `!=`."
                self.stop(token.start, f"JSONata does not expect `{word}` here.", do)

    def stop(self, offset: int, what: str, do: str) -> NoReturn:
        """Note why nothing more can be read; after another mistake nothing is added, for that one caused it."""
        if not self._found.mistakes:
            self._found.refuse(offset, what, do)
        raise StoppedReading

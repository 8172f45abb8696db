"""Which names an expression may use, and what each stands for: the flow's own, variables, functions."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from chalicelib.flow.mentions_found import Findings
from chalicelib.flow.mentions_stream import Stream
from chalicelib.flow.mentions_words import FUNCTIONS, REFUSED_FUNCTIONS, nearest
from chalicelib.flow.tokens import Token

_USUAL_ORDER = ("trigger", "inputs", "vars", "steps", "errors", "execution")
_TELLING_MORE = 24
"""Mistakes in one expression that are given a suggestion; looking for one takes time."""
_TEXT_PREFIXES = frozenset({"f", "r", "b", "u", "F", "R"})
_SINGULAR = {"steps": "step", "errors": "error"}


@dataclass(slots=True)
class Frame:
    """The variables that one pair of brackets, or one function, binds."""

    parent: "Frame | None" = None
    names: set[str] = field(default_factory=set[str])

    def binds(self, name: str) -> bool:
        """Say whether the name is bound here or further out."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return True
            frame = frame.parent
        return False


class Scope:
    """Judges each name where it stands; writes what it finds into the findings."""

    def __init__(self, names: frozenset[str], found: Findings) -> None:
        self.frame = Frame()
        self.inside: str | None = None
        self._ours = names | {"steps", "errors"}
        self._found = found
        self._unsettled: list[tuple[str, Frame, int]] = []
        self._all_variables: set[str] = set()

    @property
    def names_here(self) -> str:
        """List the first names, the usual ones first."""
        usual = [name for name in _USUAL_ORDER if name in self._ours]
        return ", ".join([*usual, *sorted(self._ours.difference(usual))])

    def is_ours(self, name: str) -> bool:
        """Say whether this is one of the flow's first names."""
        return name in self._ours

    def bind(self, name: str) -> None:
        """Note that a variable exists from here on, within the innermost brackets."""
        self.frame.names.add(name)
        self._all_variables.add(name)

    def open_frame(self) -> None:
        """Enter brackets or a function."""
        self.frame = Frame(self.frame)

    def close_frame(self) -> None:
        """Leave brackets or a function."""
        self.frame = self.frame.parent or self.frame

    def use(self, name: str, offset: int, following: list[Token]) -> None:
        """Note the use of one of the flow's first names; `following` are the next three tokens."""
        match name:
            case "steps" | "errors":
                self._mention(name, offset, following)
            case _:
                self._found.names.add(name)

    @contextmanager
    def within(self, inside: str) -> Generator[None]:
        """Stand where a bare name is a field of each row; `inside` is how messages call the place."""
        outside, self.inside = self.inside, inside
        yield
        # Not in a `finally`: nothing is read after an exception.
        self.inside = outside

    def refuse_field(self, token: Token, stream: Stream) -> None:
        """Refuse a bare first name where names are fields."""
        name = token.value
        self._found.refuse(
            token.start,
            f"Inside {self.inside}, `{name}` is a field of each row.",
            f"For the {_SINGULAR.get(name, name)} write `${stream.path(token)}`; for the field `$.{name}`.",
        )

    def refuse_unknown(self, token: Token) -> None:
        """Refuse a first name that does not exist, so that typing errors and `${HOME}` are caught."""
        name = token.value
        if name in self._all_variables:
            self._found.refuse(token.start, f"Unknown name `{name}`.", f"Variables have a dollar: `${name}`.")
            return
        from chalicelib.flow.elsewhere import NAMES  # imported late: only mistakes need it

        if name in NAMES:
            self._found.refuse(token.start, f"Unknown name `{name}`.", f"{NAMES[name]} Names here: {self.names_here}.")
            return
        if (quoted := self._found.text[token.end : token.end + 1]) in {'"', "'"} and name in _TEXT_PREFIXES:
            do = f"Texts have no {name}{quoted}...{quoted} here: join with `&`, or write the text around ${{ }}."
            self._found.refuse(token.start, f"Unknown name `{name}`.", do)
            return
        if token.kind == "quoted" and "${" in name:
            do = 'Text stands in quotes and is joined with `&`: "Hi " & inputs.name.'
            self._found.refuse(token.start, "In JSONata, back-ticks hold a name, not text with ${ } inside.", do)
            return
        near = nearest(name, self._ours) if len(self._found.mistakes) < _TELLING_MORE else ""
        what = f"Unknown name `{_short(name)}`." + (f" Did you mean `{near}`?" if near else "")
        do = f"Names here: {self.names_here}."
        whole = self._found.text.strip()
        if not near and whole == token.text:
            do = f"For a literal ${{{_short(whole)}}} write $${{{_short(whole)}}}. {do}"
        self._found.refuse(token.start, what, do)

    def use_variable(self, name: str, offset: int) -> None:
        """Note the use of a variable or a function by its name, without the dollar."""
        if self.frame.binds(name):
            return
        if name in REFUSED_FUNCTIONS:
            self._found.refuse(offset, *REFUSED_FUNCTIONS[name])
        elif name in FUNCTIONS:
            self._found.functions.add(name)
        else:
            # A function may use a variable that its surroundings bind further on: judged at the end.
            self._unsettled.append((name, self.frame, offset))

    def settle(self) -> None:
        """Refuse the variables and functions that nothing has bound."""
        for name, frame, offset in self._unsettled[:_TELLING_MORE]:
            if frame.binds(name):
                continue
            if name in self._all_variables:
                what = f"`${_short(name)}` is bound inside other brackets only."
                self._found.refuse(offset, what, "Bind it in the brackets that use it.")
                continue
            called = self._found.text[offset + 1 + len(name) :].lstrip()[:1] == "("
            if instead := _instead_of(name, called=called):
                kind = "function" if called else "variable"
                self._found.refuse(offset, f"There is no {kind} `${_short(name)}`.", instead)
                continue
            near = nearest(name, FUNCTIONS | self._ours | self._all_variables)
            what = f"There is no {'function' if called else 'variable'} `${_short(name)}`."
            do = f"Did you mean `${near}`?" if near else "Bind it first: `$name := ...`."
            if called and not near:
                do = "The functions are those of JSONata, and ours: see the page on expressions."
            self._found.refuse(offset, what, do)

    def _mention(self, kind: Literal["steps", "errors"], offset: int, following: list[Token]) -> None:
        match following:
            case [Token(kind="op", text="."), Token(kind="name" | "quoted" | "string") as step, *rest]:
                dashed = rest and rest[0].text == "-" and rest[0].start == step.end and step.kind == "name"
                # `steps.my-step` is refused where its minus is read; half an id would only add a second message.
                if not (dashed and self._found.text[step.end + 1 : step.end + 2].isalpha()):
                    self._found.mentioned.append((kind, step.value, offset))
            case [Token(kind="op", text="["), Token(kind="string"), *_]:
                pass  # refused as a filter that looks up no name
            case _:
                what = f"`{kind}` alone is every {_SINGULAR[kind]} at once."
                self._found.refuse(offset, what, f"Name the step: {kind}.<id>.")


def _instead_of(name: str, *, called: bool) -> str:
    """What to write instead of a variable or function of another tool; empty where none is known."""
    from chalicelib.flow import elsewhere  # imported late: only mistakes need it

    if called:
        return f"Write {elsewhere.FUNCTIONS[name]}." if name in elsewhere.FUNCTIONS else ""
    return elsewhere.VARIABLES.get(name, "")


def _short(name: str) -> str:
    return name if len(name) <= 60 else name[:59] + "…"

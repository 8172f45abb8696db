"""The refusals that need a look at what is written around: spellings of other languages, each with the right one."""

from chalicelib.flow.mentions_found import Findings
from chalicelib.flow.mentions_part import Part
from chalicelib.flow.mentions_scope import Scope
from chalicelib.flow.mentions_words import FUNCTIONS, instead_of_method, likewise, nearest
from chalicelib.flow.tokens import Token

_SPELLED = {
    "==": "Write one `=`.",
    "===": "Write one `=`.",
    "!==": "Write `!=`, or $not(x = y).",
    "&&": "Write `and`.",
    "||": "Write `or`.",
    "=>": "Write function($x) { ... }.",
    "**": "Write $power(x, y).",
}
_LONGEST_QUOTE = 60


class Refusals:
    """Writes the messages; asks nothing of the reader but the text and the names."""

    def __init__(self, text: str, scope: Scope, found: Findings) -> None:
        self._text = text
        self._scope = scope
        self._found = found

    def operator(self, token: Token) -> None:
        """Refuse an operator of another language; nothing happens for one of JSONata's."""
        if token.text in _SPELLED:
            spelling = token.text if token.text != "===" else "=="
            self._found.refuse(
                token.start, f"`{token.text}` is not JSONata.", f"{_SPELLED[token.text]} {likewise(spelling)}"
            )

    def exclamation(self, token: Token) -> None:
        """Refuse `!x`."""
        self._found.refuse(token.start, "`!` is not JSONata.", f"Write $not(x). {likewise('!x')}")

    def text_added(self, token: Token, left: Part, right: Part) -> None:
        """Refuse `text + text`: only a literal tells that text is meant."""
        if token.text == "+" and ("string" in (left.kind, right.kind) or "text" in (left.kind, right.kind)):
            self._found.refuse(token.start, "`+` adds numbers.", f"Join text with `&`. {likewise('+')}")

    def not_equal(self, token: Token, left: Part, right: Part) -> None:
        """Warn of `!=` on a path: it is false when the value is missing."""
        if token.text == "!=" and "path" in (left.kind, right.kind):
            both = f"{self.quote(left)} = {self.quote(right)}"
            self._found.warn(token.start, "`!=` is false when the value is missing.", f"Write $not({both}).")

    def default_of_comparison(self, token: Token, left: Part) -> None:
        """Warn of `a = b ?? c`: it reads `(a = b) ?? c`, and a comparison is never missing."""
        if left.kind == "comparison":
            self._found.warn(
                token.start,
                f"`{token.text}` stands for the whole comparison before it, which is never missing.",
                f"Put brackets around what may be missing: x = (y {token.text} z).",
            )

    def filter_by_text(self, left: Part, right: Part) -> None:
        """Refuse `x["name"]`."""
        literal = self._text[right.start : right.end]
        name = f"'{right.word}'" if "'" not in right.word else f"`{right.word}`"
        last = self._text[left.last : left.end] if left.last >= 0 else ""
        whose = f" the {last}" if last else ""
        self._found.refuse(
            left.last if last else right.start,
            f"`{_short(last)}[{_short(literal)}]` filters{whose}; it does not look up a name.",
            f"Write {last}.{name}.",
        )

    def beginning_of_path(self, left: Part) -> None:
        """Refuse a path that begins with a text, which JSONata would take for a name, or with another value."""
        if left.kind == "string":
            self._found.refuse(
                left.start, "A path cannot begin with a text in quotes.", "Write its first name without quotes."
            )
        elif left.kind in {"number", "literal", "regex"}:
            self._found.refuse(left.start, "A path cannot begin with a value.", "Write the name it begins with.")

    def length(self, left: Part, token: Token) -> None:
        """Refuse `.length`."""
        subject = self.quote(left)
        self._found.refuse(
            token.start,
            "`.length` is not JSONata.",
            f"Write $count({subject}), of text $length({subject}); a field of that name is {subject}.'length'. "
            f"{likewise('.length')}",
        )

    def method(self, left: Part, token: Token) -> None:
        """Refuse `.method()`; of `Math.round()` the first name has been refused."""
        from chalicelib.flow.elsewhere import OWNERS  # imported late, as above

        if self._text[left.start : left.end] in OWNERS:
            return
        self._found.refuse(
            token.start, f"`.{token.text}()` is not JSONata.", instead_of_method(token.text, self.quote(left))
        )

    def function_without_dollar(self, token: Token) -> None:
        """Refuse `name(...)`."""
        from chalicelib.flow import elsewhere  # imported late: only mistakes need it

        instead = elsewhere.FUNCTIONS.get(token.text) or f"${nearest(token.text, FUNCTIONS) or 'name'}( )"
        self._found.refuse(token.start, f"`{_short(token.text)}( )` is not JSONata.", f"Write {instead}.")

    def value_as_step(self, token: Token) -> None:
        """Refuse `x.true` and `x.1`."""
        also = f", or [{token.text}] for the item at {token.text}" if token.kind == "number" else ""
        what = f"`{_short(token.text)}` is a {'number' if token.kind == 'number' else 'value'}, not a name."
        self._found.refuse(token.start, what, f"Quote the name: .'{_short(token.text)}'{also}.")

    def unquoted_key(self, token: Token) -> None:
        """Refuse `{name: 1}`: there the name is a path, and its value would be the key."""
        name = _short(token.text)
        self._found.refuse(
            token.start,
            f"The key `{name}` has no quotes, so it is a path.",
            f'Write {{"{name}": ...}}.',
        )

    def dashed(self, left: Part, names: list[str]) -> None:
        """Refuse `a-b` written without spaces; `names` are all its pieces."""
        whole = "-".join(names)
        before = self._text[left.start : left.last]
        if before.removeprefix("$") in {"steps.", "errors."}:
            do = f"An id has no dash; perhaps {before}{whole.replace('-', '_')}."
        elif self._scope.is_ours(names[-1]) or (not before and self._scope.is_ours(names[0])):
            do = f"Put spaces around the minus: {' - '.join(names)}."
        else:
            do = f"Quote the name: {_short_before(before) or '$.'}'{whole}'."
        self._found.refuse(left.last, f"`{_short(whole)}` means {' minus '.join(f'`{name}`' for name in names)}.", do)

    def everything(self, token: Token, what: str) -> None:
        """Refuse what reaches every step at once, so that each mention is visible in the text."""
        self._found.refuse(token.start, what, f"Name what you mean. Names here: {self._scope.names_here}.")

    def focus(self, token: Token) -> None:
        """Refuse `list@$v`: the names after it are those of what the list stands in, which may be everything."""
        self._found.refuse(
            token.start, "`@` reaches out of what it stands in.", "Write $map(list, function($v) { ... })."
        )

    def argument_left_out(self, offset: int, function: str) -> None:
        """Refuse a call that would take the whole scope for the argument it was not given."""
        self._found.refuse(
            offset, f"`${function}` without an argument takes everything at once.", f"Say of what: ${function}(x)."
        )

    def quote(self, part: Part) -> str:
        """Quote an operand as written, or an `x` for a long one."""
        written = " ".join(self._text[part.start : part.end].split())
        return written if 0 < len(written) <= _LONGEST_QUOTE else "x"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


def _short_before(path: str) -> str:
    return path if len(path) <= _LONGEST_QUOTE else "…" + path[-_LONGEST_QUOTE:]

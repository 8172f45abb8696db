"""Reads JSONata by operator precedence, keeping no tree: each operand is judged when it is read."""

from chalicelib.flow.mentions_found import Findings, Shape
from chalicelib.flow.mentions_operands import WAYS_OUT, Operands, shape_of_call
from chalicelib.flow.mentions_part import (
    ASSIGNED_BINDING,
    COMPARISONS,
    PIPE_BINDING,
    RANGE_BINDING,
    STEP_BINDING,
    Part,
    binding,
    either,
)
from chalicelib.flow.mentions_refusals import Refusals
from chalicelib.flow.mentions_scope import Scope
from chalicelib.flow.mentions_stream import StoppedReading, Stream
from chalicelib.flow.mentions_words import FUNCTIONS
from chalicelib.flow.tokens import Token

# What `??` may be followed by without brackets around it: jsonatapy lets it bind looser than everything else.
_AFTER_DEFAULT = frozenset({"??", "?:", "?", ":="})
_INSIDE_STEP = {"(": ".( )", "{": ".{ }", "[": ".[ ]"}
DEEPEST = 100


class Reader:
    """Reads one expression into the findings it was given; used once."""

    def __init__(self, text: str, names: frozenset[str], found: Findings) -> None:
        self._found = found
        self._stream = Stream(text, found)
        self._scope = Scope(names, found)
        self._refusals = Refusals(text, self._scope, found)
        self._operands = Operands(self._stream, self._scope, self._refusals, found, self._expression)
        self._depth = 0

    def read(self) -> tuple[tuple[str | int, ...] | None, Shape]:
        """Read the whole text; gives the plain path, if it is one, and the shape."""
        try:
            if self._stream.peek() is None:
                self._stream.stop(0, "The expression is empty.", "Write a value between ${ and }; a literal ${ is $${.")
            part = self._expression(0)
            is_bare_function = part.word in FUNCTIONS and self._found.text[part.start : part.end] == f"${part.word}"
            is_bare_function = is_bare_function and not self._scope.frame.binds(part.word)
            if (token := self._stream.peek()) is not None:
                do = f"Put what it is given in brackets: ${part.word}( ... )."
                self._stream.refuse(token, *([do] if is_bare_function else []))
            if is_bare_function:
                what = f"`${part.word}` alone is a function, not a value."
                self._found.refuse(part.start, what, f"Call it: ${part.word}( ).")
        except StoppedReading:
            return None, "one"
        self._scope.settle()
        return (tuple(part.path) if part.path is not None else None), part.shape

    def _expression(self, bound: int) -> Part:
        """Read an operand and every operator after it that binds tighter than `bound`."""
        self._depth += 1
        if self._depth > DEEPEST:
            what = f"This is nested more than {DEEPEST} deep."
            self._found.refuse(self._stream.end, what, "Compute parts of it in `set` steps of their own.")
            raise StoppedReading
        first_mention = len(self._found.mentioned)
        left = self._operands.read()
        while (tightness := binding(self._stream.peek())) > bound:
            token = self._stream.take()
            if left.kind == "default" and token.text not in _AFTER_DEFAULT:
                self._found.wrap(left.start, left.end)
            left = self._operator(token, tightness, left, first_mention)
        if left.kind == "default" and bound >= RANGE_BINDING:
            self._found.wrap(left.start, left.end)
        self._depth -= 1
        return left

    def _operator(self, token: Token, tightness: int, left: Part, first_mention: int) -> Part:
        match token.text:
            case "." | "[" | "(" | "@" | "#" | "{" | "^":
                return self._postfix(token, left)
            case "?":
                return self._condition(left)
            case ":=":
                return self._binding(token, left)
            case "~>":
                return self._pipe(left, first_mention)
            case "??" | "?:":
                return self._default(token, tightness, left, first_mention)
            case "-" if names := self._dashed(left):
                self._refusals.dashed(left, names)
                return Part("path", left.start, self._stream.end)
            case "=>":
                # The parameter before it is no name of ours, which would be said as well.
                self._found.mistakes[:] = [m for m in self._found.mistakes if m.offset < left.start]
                self._refusals.operator(token)
                raise StoppedReading
            case _:
                return self._binary(token, tightness, left)

    def _postfix(self, token: Token, left: Part) -> Part:
        """Read what belongs to the operand before it: a step, a filter, a call, a binding, a grouping, an order."""
        if token.text not in {"[", "("}:
            self._refusals.beginning_of_path(left)
        match token.text:
            case ".":
                return self._step(left)
            case "[":
                return self._filter(left)
            case "(":
                return self._operands.call(left)
            case "{":
                with self._scope.within("{ }"):
                    self._operands.pairs(grouping=True)
                return Part("object", left.start, self._stream.end)
            case "^":
                with self._scope.within("^( )"):
                    self._sort_terms()
                return Part("path", left.start, self._stream.end, "any", spread=left.spread)
            case _:
                if token.text == "@":
                    self._refusals.focus(token)
                self._scope.bind(self._stream.variable())
        return Part("path", left.start, self._stream.end, "any", spread=True)

    def _step(self, left: Part) -> Part:
        """Read what comes after a dot: a name is a field there, whatever it is called."""
        token = self._stream.peek()
        if token is None:
            self._stream.stop(
                self._stream.end, "The expression ends with a dot.", "Write the name that belongs after it."
            )
        match token.kind:
            case "name" | "quoted" | "string":
                self._stream.take()
                return self._field(left, token)
            case "value" | "number":
                self._stream.take()
                self._refusals.value_as_step(token)
            case "regex":
                self._stream.refuse(token)
            case _:
                inside = _INSIDE_STEP.get(token.text, ".$f( )" if token.kind == "variable" else ".")
                with self._scope.within(inside):
                    self._expression(STEP_BINDING)
        return Part("path", left.start, self._stream.end, "any", spread=True)

    def _field(self, left: Part, token: Token) -> Part:
        bare = token.kind == "name"
        if bare and self._stream.comes("("):
            self._refusals.method(left, token)
        elif bare and token.text == "length" and not self._stream.comes(".", "["):
            self._refusals.length(left, token)
        path = left.path
        if path is not None:
            path.append(token.value)
        spread = left.spread or left.shape != "one"
        shape: Shape = "any" if spread else "one"
        return Part("path", left.start, token.end, shape, path, last=token.start, bare=bare, spread=spread)

    def _filter(self, left: Part) -> Part:
        if self._stream.take_if("]"):
            return Part(left.kind, left.start, self._stream.end, "any", spread=left.spread)
        with self._scope.within("[ ]"):
            right = self._expression(0)
        self._stream.expect("]")
        if right.kind == "string":
            self._refusals.filter_by_text(left, right)
        path = None
        if right.index is not None:
            path = left.path
            if path is not None:
                path.append(right.index)
        taken_one = right.kind == "number" and not left.spread
        shape: Shape = "one" if taken_one else "any" if right.kind != "number" else left.shape
        return Part(left.kind, left.start, self._stream.end, shape, path, spread=left.spread, word=left.word)

    def _sort_terms(self) -> None:
        self._stream.expect("(")
        while True:
            if self._stream.comes("<", ">"):
                self._stream.take()
            self._expression(0)
            if not self._stream.take_if(","):
                break
        self._stream.expect(")")

    def _condition(self, left: Part) -> Part:
        if self._stream.comes("."):
            do = "Write `.`: where something is missing on the way, the whole path is."
            self._stream.stop(left.end, "`?.` is not JSONata.", do)
        then = self._expression(0)
        shape = then.shape
        if self._stream.take_if(":"):
            shape = either(shape, self._expression(0).shape)
        return Part("other", left.start, self._stream.end, shape)

    def _binding(self, token: Token, left: Part) -> Part:
        if left.kind != "variable":
            self._stream.stop(token.start, "`:=` binds a variable.", "Write $name := value; to compare, one `=`.")
        self._scope.bind(left.word)
        right = self._expression(ASSIGNED_BINDING)
        return Part("other", left.start, self._stream.end, right.shape)

    def _pipe(self, left: Part, first_mention: int) -> Part:
        behind = len(self._found.mentioned)
        self._operands.pipe_into_next()
        right = self._expression(PIPE_BINDING)
        if right.word in WAYS_OUT and right.kind in {"call", "variable"}:
            self._found.ways_out.append((first_mention, behind))
        shape = left.shape if right.kind == "transform" else shape_of_call(right.word, [left.shape, right.shape])
        return Part("call", left.start, self._stream.end, shape, word=right.word)

    def _default(self, token: Token, tightness: int, left: Part, first_mention: int) -> Part:
        if token.text == "??":
            self._found.ways_out.append((first_mention, len(self._found.mentioned)))
        self._refusals.default_of_comparison(token, left)
        right = self._expression(tightness)
        return Part("default", left.start, self._stream.end, either(left.shape, right.shape))

    def _binary(self, token: Token, tightness: int, left: Part) -> Part:
        self._refusals.operator(token)
        right = self._expression(tightness)
        self._refusals.text_added(token, left, right)
        self._refusals.not_equal(token, left, right)
        if token.text in COMPARISONS:
            return Part("comparison", left.start, self._stream.end)
        kind = "text" if token.text == "&" else "other"
        return Part(kind, left.start, self._stream.end, "many" if token.text == ".." else "one")

    def _dashed(self, left: Part) -> list[str]:
        """Take the rest of a name written with dashes; empty when this minus is one."""
        if not (left.bare and left.end == self._stream.end - 1):
            return []
        first = self._stream.peek()
        if first is None or first.kind != "name":
            return []
        pieces: list[Token] = []
        end = self._stream.end
        while (token := self._stream.peek()) is not None and token.kind in {"name", "number"} and token.start == end:
            pieces.append(self._stream.take())
            end = token.end
            minus = self._stream.peek()
            after = self._stream.peek(1)
            if not (minus and after and minus.text == "-" and minus.start == end and after.start == minus.end):
                break
            if after.kind not in {"name", "number"}:
                break
            self._stream.take()
            end = minus.end
        return [self._found.text[left.last : left.end], *(token.text for token in pieces)]

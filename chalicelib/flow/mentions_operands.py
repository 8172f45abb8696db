"""Reads what stands where an expression wants a value: names, variables, brackets, functions, calls."""

from collections.abc import Callable

from chalicelib.flow.mentions_found import Findings, Shape
from chalicelib.flow.mentions_part import UNARY_BINDING, Part, either, whole_number
from chalicelib.flow.mentions_refusals import Refusals
from chalicelib.flow.mentions_scope import Scope
from chalicelib.flow.mentions_stream import Stream
from chalicelib.flow.mentions_words import ARGUMENTS_TO_NAME_A_VALUE, MANY_FUNCTIONS
from chalicelib.flow.tokens import Token

_FUNCTION_WORDS = frozenset({"function", "λ"})
WAYS_OUT = frozenset({"default", "exists"})


class Operands:
    """The half of the reader that knows no binary operators; `expression` is the other half."""

    def __init__(
        self, stream: Stream, scope: Scope, refusals: Refusals, found: Findings, expression: Callable[[int], Part]
    ) -> None:
        self._stream = stream
        self._scope = scope
        self._refusals = refusals
        self._found = found
        self._expression = expression
        self._piped_at = -1

    def read(self) -> Part:
        """Read one operand."""
        token = self._stream.take()
        match token.kind:
            case "name" if token.text in _FUNCTION_WORDS and self._stream.comes("("):
                return self._function(token)
            case "name" | "quoted":
                return self._first_name(token)
            case "string" | "regex":
                return Part(token.kind, token.start, token.end, word=token.value)
            case "value":
                return Part("literal", token.start, token.end)
            case "number":
                return Part("number", token.start, token.end, index=whole_number(token))
            case "variable":
                return self._variable(token)
            case "op":
                return self._operator(token)
            case "broken" | "unknown":
                return self._stream.refuse(token)

    def pipe_into_next(self) -> None:
        """Note that the next operand is handed one argument more by `~>`."""
        token = self._stream.peek()
        self._piped_at = token.start if token is not None else -1

    def call(self, left: Part) -> Part:
        """Read the arguments of a call, its opening bracket taken."""
        if left.kind in {"string", "number", "literal", "array", "object"}:
            self._stream.stop(left.end, "Only a function can be called.", "Put an operator before the bracket.")
        function = left.word if left.kind == "variable" else ""
        given = 1 if left.start == self._piped_at else 0
        shapes: list[Shape] = []
        while not self._stream.comes(")"):
            first_mention = len(self._found.mentioned)
            if self._stream.take_if("?"):
                self._found.defines_function = True
            else:
                shapes.append(self._expression(0).shape)
            given += 1
            if len(shapes) == 1 and given == 1 and function in WAYS_OUT:
                self._found.ways_out.append((first_mention, len(self._found.mentioned)))
            if not self._stream.take_if(","):
                break
        self._stream.expect(")")
        if self._scope.inside is None and given < ARGUMENTS_TO_NAME_A_VALUE.get(function, 0):
            self._refusals.argument_left_out(left.start, function)
        return Part("call", left.start, self._stream.end, shape_of_call(function, shapes), word=function)

    def pairs(self, *, grouping: bool) -> None:
        """Read `key: value` pairs up to `}`, the opening brace taken; grouping computes its keys from the rows."""
        while not self._stream.comes("}"):
            token = self._stream.peek()
            if (
                not grouping
                and token
                and token.kind in {"name", "value", "quoted"}
                and self._stream.comes(":", ahead=1)
            ):
                self._refusals.unquoted_key(self._stream.take())
            else:
                self._expression(0)
            self._stream.expect(":")
            self._expression(0)
            if not self._stream.take_if(","):
                break
        self._stream.expect("}")

    def _first_name(self, token: Token) -> Part:
        name = token.value
        if token.kind == "name" and self._stream.comes("("):
            self._refusals.function_without_dollar(token)
        elif self._scope.inside is not None:
            if token.kind == "name" and self._scope.is_ours(name):
                self._scope.refuse_field(token, self._stream)
            return Part("path", token.start, token.end, last=token.start, bare=token.kind == "name")
        elif self._scope.is_ours(name):
            self._scope.use(name, token.start, self._stream.following())
        else:
            self._scope.refuse_unknown(token)
        return Part("path", token.start, token.end, path=[name], last=token.start, bare=token.kind == "name")

    def _variable(self, token: Token) -> Part:
        name = token.text[1:]
        part = Part("variable", token.start, token.end, word=name)
        match name:
            case "":
                if self._scope.inside is None:
                    self._refusals.everything(token, "`$` is everything at once here.")
                part.kind = "path"
            case "$":
                self._refusals.everything(token, "`$$` is everything at once.")
                part.kind = "path"
            case _ if self._stream.comes(":="):
                pass
            case _ if self._scope.is_ours(name) and not self._scope.frame.binds(name):
                self._scope.use(name, token.start, self._stream.following())
                self._found.replace(token.start, token.end, f"$$.{name}")
                path: list[str | int] | None = [name] if self._scope.inside is None else None
                return Part("path", token.start, token.end, path=path, last=token.start)
            case _:
                self._scope.use_variable(name, token.start)
        return part

    def _operator(self, token: Token) -> Part:
        match token.text:
            case "(":
                return self._block(token)
            case "[":
                return self._array(token)
            case "{":
                self.pairs(grouping=False)
                return Part("object", token.start, self._stream.end)
            case "-":
                right = self._expression(UNARY_BINDING)
                return Part("number" if right.kind == "number" else "other", token.start, right.end)
            case "*":
                if self._scope.inside is None:
                    self._refusals.everything(token, "`*` is everything at once here.")
                return Part("path", token.start, token.end, "any", spread=True)
            case "**":
                self._refusals.everything(token, "`**` reaches everything at once.")
                return Part("path", token.start, token.end, "any", spread=True)
            case "%":
                self._refusals.everything(token, "`%`, the parent, reaches out of what it stands in.")
                return Part("path", token.start, token.end)
            case "|":
                return self._transform(token)
            case "!":
                self._refusals.exclamation(token)
                self._expression(UNARY_BINDING)
                return Part("comparison", token.start, self._stream.end)
            case _:
                return self._stream.refuse(token)

    def _block(self, token: Token) -> Part:
        self._scope.open_frame()
        shape: Shape = "one"
        while not self._stream.comes(")"):
            shape = self._expression(0).shape
            if not self._stream.take_if(";"):
                break
        self._stream.expect(")")
        self._scope.close_frame()
        return Part("block", token.start, self._stream.end, shape)

    def _array(self, token: Token) -> Part:
        if not self._stream.take_if("]"):
            self._expression(0)
            while self._stream.take_if(","):
                self._expression(0)
            self._stream.expect("]")
        return Part("array", token.start, self._stream.end, "many")

    def _function(self, token: Token) -> Part:
        self._found.defines_function = True
        self._scope.open_frame()
        self._stream.expect("(")
        while not self._stream.comes(")"):
            self._scope.bind(self._stream.variable())
            if not self._stream.take_if(","):
                break
        self._stream.expect(")")
        if self._stream.comes("<"):
            # A signature such as <a<n>-:n> says nothing that matters here.
            while not self._stream.comes("{"):
                self._stream.take()
        self._stream.expect("{")
        self._expression(0)
        self._stream.expect("}")
        self._scope.close_frame()
        return Part("function", token.start, self._stream.end)

    def _transform(self, token: Token) -> Part:
        with self._scope.within("| |"):
            self._expression(0)
            self._stream.expect("|")
            self._expression(0)
            if self._stream.take_if(","):
                self._expression(0)
        self._stream.expect("|")
        return Part("transform", token.start, self._stream.end)


def shape_of_call(function: str, shapes: list[Shape]) -> Shape:
    """Say what a call gives, by the function and the shapes of its arguments."""
    if function in MANY_FUNCTIONS:
        return "any"
    if function == "default":
        shape = shapes[0] if shapes else "one"
        for other in shapes[1:]:
            shape = either(shape, other)
        return shape
    return "many" if function == "list" else "one"

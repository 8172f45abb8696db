"""A value with expressions in it, compiled once per flow version and filled once per step.

Compiling cuts the texts into literal pieces and expressions and settles, for each expression, its place. Filling puts
the answers in and converts each by its place. Evaluating lies in between and elsewhere, so a template can be filled by
whoever has the answers, and the engine can hand out what is to be evaluated as data.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from chalicelib.errors import MissingValueError, ParameterError
from chalicelib.flow.mentions import analyse
from chalicelib.flow.missing import missing_value
from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.places import TEXT, UNTYPED, Target, as_text, convert, takes_nothing
from chalicelib.flow.scanner import Hole, scan
from chalicelib.flow.targets import VERBATIM, Condition, ListOf, ObjectOf, OneOf
from chalicelib.flow.values import Json


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression of a flow.

    `text` is as written, `rewritten` for JSONata over one plain scope; `path` is there when the whole is a plain path.
    `where` points to the value it stands in (`with.json.total`), `offset` to its text inside that value.
    `defines_function` says that it makes a function, which may build what no limit bounds (design 3.3; `growth` has the
    other ways to do so).
    """

    text: str
    rewritten: str
    path: tuple[str | int, ...] | None
    where: str
    offset: int
    defines_function: bool = False


@dataclass(frozen=True, slots=True)
class Literal:
    """A value without expressions, handed out as it is."""

    value: Json


@dataclass(frozen=True, slots=True)
class Whole:
    """A value that is one expression: what its place makes of the answer."""

    expression: Expression
    target: Target


@dataclass(frozen=True, slots=True)
class Text:
    """Text with expressions inside it."""

    parts: tuple[str | Expression, ...]
    target: Target
    where: str


@dataclass(frozen=True, slots=True)
class Object:
    """An object; the `optional` fields are left out where their expression finds nothing."""

    fields: tuple[tuple[str, "Template"], ...]
    optional: frozenset[str]


@dataclass(frozen=True, slots=True)
class List:
    """A list."""

    items: tuple["Template", ...]


Template: TypeAlias = Literal | Whole | Text | Object | List
"""A value as written in a flow, ready to be filled."""


def compile_template(value: Json, target: Target, where: str, names: frozenset[str]) -> Template:
    """Compile a value of a flow for the place it stands in.

    `names` are the first names allowed besides `steps` and `errors` (see `analyse`); `where` is the value's path for
    messages (`with`). The value must have passed the check: raises the scanner's NotClosed where a `${` is not closed.
    """
    match value:
        case str():
            return _compile_text(value, target, where, names)
        case dict():
            fields = tuple(
                (key, compile_template(item, _field_target(target, key), f"{where}.{key}", names))
                for key, item in value.items()
            )
            if all(isinstance(template, Literal) for _, template in fields):
                return Literal({key: template.value for key, template in fields if isinstance(template, Literal)})
            shape = _only(target, ObjectOf)
            return Object(fields, shape.optional if isinstance(shape, ObjectOf) else frozenset())
        case list():
            shape = _only(target, ListOf)
            inner = shape.items if isinstance(shape, ListOf) else UNTYPED
            items = tuple(compile_template(item, inner, f"{where}[{i}]", names) for i, item in enumerate(value))
            if all(isinstance(template, Literal) for template in items):
                return Literal([template.value for template in items if isinstance(template, Literal)])
            return List(items)
        case _:
            return Literal(value)


def expressions(template: Template) -> tuple[Expression, ...]:
    """All expressions of a template, in the order in which `fill` takes their answers."""
    return tuple(_expressions(template))


def fill(
    template: Template,
    answers: Sequence[Json | Missing],
    scope: Mapping[str, Json] | None = None,
    absent: Mapping[str, str] | None = None,
) -> Json:
    """Put the answers in, in the order of `expressions(template)`, each converted by its place.

    Raises MissingValueError, ParameterError or ExpressionError that name the place. With the `scope` that the answers
    come from, a missing value is explained by what is there instead; `absent` says of steps why they have no value.
    Literal parts and whole answers are handed on without a copy: nobody changes a value.
    """
    filling = _Filling(iter(answers), scope, absent)
    filled = filling.fill(template)
    if next(filling.answers, _END) is not _END:
        raise ValueError("more answers than expressions")
    if filled is MISSING:
        raise MissingValueError
    return filled


_END = object()


def _compile_text(value: str, target: Target, where: str, names: frozenset[str]) -> Template:
    if "${" not in value or target == VERBATIM:
        return Literal(value)
    parts: list[str | Expression] = []
    for piece in scan(value):
        if isinstance(piece, Hole):
            analysis = analyse(piece.text, names)
            parts.append(
                Expression(
                    piece.text,
                    analysis.rewritten,
                    analysis.path,
                    where,
                    piece.offset,
                    analysis.defines_function,
                )
            )
        else:
            parts.append(piece)
    match parts:
        case [Expression() as only]:
            return Whole(only, target)
        case _ if all(isinstance(part, str) for part in parts):
            return Literal("".join(part for part in parts if isinstance(part, str)))
        case _:
            return Text(tuple(parts), target, where)


def _only(target: Target, shape: type[ObjectOf] | type[ListOf]) -> Target:
    """The branch of a target that fits an object, or a list, as it is written."""
    if isinstance(target, OneOf):
        return next((branch for branch in target.branches if isinstance(branch, shape)), UNTYPED)
    return target


def _field_target(target: Target, key: str) -> Target:
    shape = _only(target, ObjectOf)
    return shape.fields.get(key, shape.others) if isinstance(shape, ObjectOf) else UNTYPED


def _expressions(template: Template) -> Iterator[Expression]:
    match template:
        case Literal():
            return
        case Whole(expression):
            yield expression
        case Text(parts):
            yield from (part for part in parts if isinstance(part, Expression))
        case Object(fields):
            for _, field in fields:
                yield from _expressions(field)
        case List(items):
            for item in items:
                yield from _expressions(item)
        case _:
            assert_never(template)


@dataclass(slots=True)
class _Filling:
    """One filling: takes the answers in order while it walks the template."""

    answers: Iterator[Json | Missing]
    scope: Mapping[str, Json] | None
    absent: Mapping[str, str] | None

    def fill(self, template: Template, *, may_lack: bool = False) -> Json | Missing:
        """The filled value; missing only where it `may_lack`, because its parameter is optional."""
        match template:
            case Literal(value):
                return value
            case Whole(expression, target):
                return self._whole(expression, target, may_lack=may_lack)
            case Text():
                return self._text(template)
            case Object(fields, optional):
                filled: dict[str, Json] = {}
                for key, field in fields:
                    value = self.fill(field, may_lack=key in optional)
                    if value is not MISSING:
                        filled[key] = value
                return filled
            case List(items):
                return [value for item in items if (value := self.fill(item)) is not MISSING]
            case _:
                assert_never(template)

    def _whole(self, expression: Expression, target: Target, *, may_lack: bool) -> Json | Missing:
        answer = next(self.answers)
        if answer is MISSING and not isinstance(target, Condition):
            is_list = takes_nothing(target)
            if may_lack and not is_list:
                return MISSING
            # A list may be found empty by a computation; a plain path to nothing is a name that does not exist.
            if not is_list or expression.path is not None:
                raise self._missing(expression, target)
        return convert(answer, target, expression.where)

    def _text(self, template: Text) -> Json:
        texts: list[str] = []
        for part in template.parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            answer = next(self.answers)
            if answer is MISSING:
                raise self._missing(part, TEXT)
            try:
                texts.append(as_text(answer))
            except ParameterError as error:
                raise ParameterError(f"`{template.where}`: {error.detail}", where=template.where) from error
        whole = "".join(texts)
        return whole if template.target is TEXT else convert(whole, template.target, template.where)

    def _missing(self, expression: Expression, target: Target) -> MissingValueError:
        return missing_value(expression.text, expression.path, self.scope or {}, target, expression.where, self.absent)

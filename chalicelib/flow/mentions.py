"""What an expression says before it is evaluated: the steps it mentions, its mistakes, its shape.

jsonatapy shows no syntax tree and no positions, so the text is read here a second time, by our own tokenizer and a
small operator-precedence reader that keeps no tree: it notes what it meets, in time linear in the text.
"""

import re
from functools import lru_cache

from chalicelib.flow.mentions_found import Analysis, Findings, Mention, Mistake, Shape, in_order
from chalicelib.flow.mentions_reader import Reader

__all__ = ["Analysis", "Mention", "Mistake", "Shape", "analyse"]


_DOUBLE_BRACES = re.compile(r"\{(?!\s*(?:[\"'`}]|\w+\s*:))[^{}]*\}")
_LONGEST_REMEMBERED = 2_000


def analyse(text: str, names: frozenset[str]) -> Analysis:
    """Analyse the text between `${` and `}`; never raises.

    Args:
        text: the expression; offsets in the answer count its characters.
        names: the first names allowed here besides `steps` and `errors`, which always are.
    """
    # A plan asks twice of each text that mentions a step: once for its needs, once to compile it.
    return _remembered(text, names) if len(text) <= _LONGEST_REMEMBERED else _analyse(text, names)


def _analyse(text: str, names: frozenset[str]) -> Analysis:
    found = Findings(text)
    path, shape = Reader(text, names, found).read()
    if found.mistakes and _DOUBLE_BRACES.fullmatch(text):
        inner = analyse(text[1:-1], names).mistakes
        found.mistakes[:] = [Mistake(one.offset + 1, one.what, one.do) for one in inner]
        do = f"Write one brace: ${{ {text[1:-1].strip()} }}."
        found.refuse(0, "`${{ }}` is how other tools write it.", do)
    mistakes = in_order(found.mistakes)
    return Analysis(
        mentions=found.mentions(),
        names=frozenset(found.names),
        mistakes=mistakes,
        warnings=in_order(found.warnings),
        path=None if mistakes else path,
        shape=shape,
        rewritten=found.rewritten(),
        functions=frozenset(found.functions),
        defines_function=found.defines_function,
    )


_remembered = lru_cache(maxsize=512)(_analyse)

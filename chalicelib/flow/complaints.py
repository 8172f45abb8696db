"""Says in words what JSONata complains of: its codes become sentences that name no value.

jsonatapy reports `T2009: The expressions on either side of operator ">" ...`, without a position, and some of its
messages quote data. So nothing of a message is passed on but the author's own words (the texts of `$error` and
`$assert`, and what stands in the expression). Source of the codes: jsonata 2, `src/jsonata.js`, `errorCodes`.
"""

import re
from collections.abc import Mapping

from chalicelib.flow.mentions_words import FUNCTIONS
from chalicelib.flow.missing import paths_in
from chalicelib.flow.paths import spell, walk
from chalicelib.flow.values import Json
from chalicelib.flow.wording import closest, kind_of

_CODE = re.compile(r"\b([SDTU]\d{4})\b:? ?")
_OPERATOR = re.compile(r"""(?:the|operator) "?([-+*/%<>=!&~]+|and|or|in)"? ?(?:operator|must)""")
_ARGUMENT = re.compile(r"Argument (\d+)(?: of function \$?\w+)? (?:must be|does not match)(?: (.+))?")

_KINDS = {
    "an array of String": "a list of texts",
    "an array of Number": "a list of numbers",
    "String": "text",
    "Number": "a number",
    "Boolean": "true or false",
    "Object": "an object",
    "Array": "a list",
}

_WAY_TO_NUMBER = "$number(...) makes a number of text; or declare it as a number in `inputs`."

_WAY_TO_QUOTE = """Double the backslash; for a quote, put the text in the other kind: "it's"."""

_SENTENCES = {
    "D1001": ("a number is beyond what JSON can say.", "Look at the computation, a division by zero perhaps."),
    "D1002": ("only a number can be negated.", _WAY_TO_NUMBER),
    "D1004": ("a regular expression matches empty text.", "Make it match at least one character."),
    "D1009": ("two rows give the same key.", "Group by something unique, or collect the values in a list: [ ... ]."),
    "D1011": ("the functions call each other too deeply.", "Make the recursion end, or use $map and $reduce."),
    "D2014": ("a range has more than ten million numbers.", "Make the range smaller."),
    "D2015": ("the result has more than 100,000 rows.", "Filter first, or work in batches with `foreach`."),
    "D3001": ("an infinity or NaN cannot be written as text.", "Look at the computation it comes from."),
    "D3010": ("`$replace` wants a pattern that is not empty.", "Write what is to be replaced."),
    "D3011": ("`$replace` wants a limit of at least 0.", "Leave it out to replace all."),
    "D3012": ("the function given to `$replace` must return text.", "Return text: $string(...)."),
    "D3020": ("`$split` wants a limit of at least 0.", "Leave it out to get all parts."),
    "D3030": (
        "`$number` cannot read this as a number.",
        "Give it digits only, as in 19.99; $replace takes others off.",
    ),
    "D3040": ("`$match` wants a limit of at least 0.", "Leave it out to get all matches."),
    "D3050": ("the function given to `$reduce` must take two arguments.", "Write function($sum, $row) { ... }."),
    "D3060": ("there is no square root of a negative number.", "Check the number before."),
    "D3061": ("`$power` gives a number beyond what JSON can say.", "Look at the exponent."),
    "D3070": ("`$sort` by itself sorts texts or numbers only.", "Name the field: rows^(name)."),
    "D3100": ("`$formatBase` wants a base from 2 to 36.", "Write $formatBase(x, 16)."),
    "D3110": ("`$toMillis` cannot read this as a time.", "$time(x) reads more spellings; else give a picture."),
    "D3138": ("`$single` found more than one row.", "Choose one with [0], or narrow the condition."),
    "D3139": ("`$single` found no row.", "If there may be none, write [ ... ] and look at $count of it."),
    "D3140": ("this is no well-formed encoded URL.", "Look at where it comes from."),
    "T1003": ("a key of an object must be text.", "Write $string(...) around it; null and nothing are no keys."),
    "T1008": ("only a function can be applied to some of its arguments.", "Check the name before the bracket."),
    "T1010": ("a function given as a pattern does not return a match.", "Use a regular expression: /.../."),
    "T2003": ("a range wants a whole number before `..`.", _WAY_TO_NUMBER),
    "T2004": ("a range wants a whole number after `..`.", _WAY_TO_NUMBER),
    "T2006": ("what stands after `~>` must be a function.", "Write x ~> $uppercase."),
    "T2007": (
        "rows are sorted by something that is text in some and a number in others.",
        "Convert it: ^($string(x)).",
    ),
    "T2008": ("rows can be sorted by text or numbers only.", "Choose such a field in ^( )."),
    "T2011": ("the second part of a transform must be an object.", 'Write |x|{"field": value}|.'),
    "T2012": ("the third part of a transform must be a list of names.", 'Write |x|{}, ["field"]|.'),
    "U1001": ("the expression goes too deep.", "Make the recursion end, or split the expression over steps."),
    "U1002": ("the expression is nested too deeply.", "Split it over several steps."),
}
_PICTURES = re.compile(r"D308\d|D309\d|D313[0-6]|D3115")


def complaint(message: str, text: str, scope: Mapping[str, Json]) -> tuple[str, str]:
    """What went wrong, and what to do, of a message that jsonatapy gave while evaluating `text` over `scope`."""
    found = _CODE.search(message)
    code = found[1] if found else ""
    if found and code in ("D3137", "D3141"):
        return f"the flow says: {message[found.end() :]}", ""
    if code in ("T2001", "T2002", "T2009", "T2010"):
        return _operands(code, message, text, scope)
    if code in ("T0410", "T0411", "T0412"):
        return _argument(code, message, text, scope)
    if code in ("T1005", "T1006", "T1007"):
        return _unknown_function(message)
    if _PICTURES.fullmatch(code):
        return "the picture that says how to print is not well-formed.", "Compare it with docs.jsonata.org."
    if "OverflowError" in message:
        return "a whole number is beyond 64 bits.", "Pass it through a plain path, or as text."
    if "surrogates" in message:
        return "a text holds half a character (a lone surrogate).", "Ask its sender for well-formed text."
    what, do = _SENTENCES.get(code, ("JSONata cannot evaluate this.", "Try it in smaller parts."))
    return f"{what} ({code})" if code and code not in _SENTENCES else what, do


def compile_complaint(message: str) -> tuple[str, str]:
    """What is wrong with an expression's text, and what to do; the text is the author's, so it may be quoted."""
    bare = re.sub(r"^(Parse error|Argument error|Invalid \w+|Unexpected \w+): ", "", message)
    bare = re.sub(r"^(Parse error|Argument error|Invalid \w+|Unexpected \w+): ", "", bare)
    code = found[1] if (found := _CODE.match(bare)) else ""
    words = bare[found.end() :] if found else bare
    known = {
        "S0207": ("the expression ends too early.", "Finish it: something is missing after its last character."),
        "S0101": ("a quote is not closed.", "Close it, or escape the quote inside it with a backslash."),
        "S0106": ("a comment is not closed.", "Close it with */."),
        "S0103": ("a backslash stands before a character that has no escape.", _WAY_TO_QUOTE),
        "S0105": ("a name in back-ticks is not closed.", "Close it with `."),
        "S0302": ("a regular expression is not closed.", "Close it with /."),
        "U1002": _SENTENCES["U1002"],
    }
    what, do = known.get(code, ("", ""))
    if what:
        return f"JSONata: {what}" if not code else f"JSONata ({code}): {what}", do
    line = " ".join(words.split())
    shown = line if len(line) <= 160 else line[:159] + "…"
    return f"JSONata cannot read this{f' ({code})' if code else ''}: {shown}", "Compare it with docs.jsonata.org."


def _operands(code: str, message: str, text: str, scope: Mapping[str, Json]) -> tuple[str, str]:
    found = _OPERATOR.search(message)
    operator = found[1] if found else "this operator"
    kinds = [(spell(path), kind_of(walk(path, scope))) for path in paths_in(text, scope)]
    odd = next(((path, kind) for path, kind in kinds if kind != "a number"), None)
    if odd is None:
        wanted = "two numbers, or two texts" if code in ("T2009", "T2010") else "two numbers"
        return f"`{operator}` wants {wanted}.", _WAY_TO_NUMBER
    path, kind = odd
    if kind == "text":
        do = f"$number({path}), or declare it as a number in `inputs`."
    else:
        do = f"$default({path}, 0)." if kind in ("null", "nothing") else "Choose a number in it."
    return f"`{path}` is {kind}, and `{operator}` wants two numbers.", do


def _argument(code: str, message: str, text: str, scope: Mapping[str, Json]) -> tuple[str, str]:
    found = _ARGUMENT.search(message)
    if not found or found[2] is None:
        return "a function is given something it does not take.", "Compare it with docs.jsonata.org."
    wanted = _KINDS.get(found[2].strip(), found[2].strip("() ").lower())
    kinds = [(spell(path), kind_of(walk(path, scope))) for path in paths_in(text, scope)]
    shown = ", ".join(f"`{path}` is {kind}" for path, kind in dict(kinds).items() if kind != wanted)
    what = f"a function wants {wanted} as its argument {found[1]}{f'; {shown}' if shown else ''}."
    if code == "T0412" and "text" in wanted:
        return what, "$joined(...) takes numbers too; else $map(list, $string)."
    hints = {"text": "$string(x) makes text.", "a number": _WAY_TO_NUMBER, "a list": "$list(x) makes a list."}
    return what, hints.get(wanted, "Convert it first.")


def _unknown_function(message: str) -> tuple[str, str]:
    name = re.search(r"\$(\w+)\s*$", message)
    if not name:
        return "something is called that is no function.", "Check the name before the bracket."
    near = closest(name[1], FUNCTIONS)
    return f"there is no function `${name[1]}`.", f"Did you mean `${near}`?" if near else "Check its spelling."

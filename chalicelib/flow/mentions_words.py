"""The words of an expression: functions there are, operators of other languages, and what to write instead."""

# jsonatapy 2.2.13 has these (documentation of JSONata 2, less `$clone`, which it lacks).
BUILT_IN_FUNCTIONS = frozenset({
    "abs", "append", "assert", "average", "base64decode", "base64encode", "boolean", "ceil", "contains", "count",
    "decodeUrl", "decodeUrlComponent", "distinct", "each", "encodeUrl", "encodeUrlComponent", "error", "eval",
    "exists", "filter", "floor", "formatBase", "formatInteger", "formatNumber", "fromMillis", "join", "keys",
    "length", "lookup", "lowercase", "map", "match", "max", "merge", "millis", "min", "not", "now", "number",
    "pad", "parseInteger", "power", "random", "reduce", "replace", "reverse", "round", "shuffle", "sift",
    "single", "sort", "split", "spread", "sqrt", "string", "substring", "substringAfter", "substringBefore",
    "sum", "toMillis", "trim", "type", "uppercase", "zip",
})  # fmt: skip

# What we register beside them (DESIGN 3.3).
OUR_FUNCTIONS = frozenset({
    "between", "cents", "date", "day", "default", "empty", "fixed", "hash", "html", "joined", "lines", "list",
    "minus", "omit", "parse", "partition", "pick", "plus", "slug", "start_of", "time", "truncate", "unique",
    "uuid",
})  # fmt: skip

FUNCTIONS = BUILT_IN_FUNCTIONS | OUR_FUNCTIONS

REFUSED_FUNCTIONS = {
    "eval": ("`$eval` is refused: the result of an expression is never parsed again.", "Write the expression itself."),
    "shuffle": (
        "`$shuffle` is refused: an execution must come out the same every time.",
        "Take the list as it is, or $sort(list).",
    ),
}

# Functions whose value may be nothing, one thing or a list, by the number of rows.
MANY_FUNCTIONS = frozenset({"map", "filter", "keys", "each", "match", "spread"})

# Functions that take the whole scope when an argument is left out, and how many arguments keep them from it. The text
# and number functions do so too, but fail on it.
ARGUMENTS_TO_NAME_A_VALUE = {
    "string": 1,
    "keys": 1,
    "spread": 1,
    "boolean": 1,
    "not": 1,
    "lookup": 2,
    "each": 2,
    "sift": 2,
}

# In the order the "Likewise" of a message lists them: what is written elsewhere, and JSONata's word for it.
_LIKEWISE = {
    "==": "`==` is `=`",
    "!==": "`!==` is `!=`",
    "&&": "`&&` is `and`",
    "||": "`||` is `or`",
    "!x": "`!x` is `$not(x)`",
    "+": "text is joined with `&`",
    ".length": "`x.length` is `$count(x)`",
    "=>": "`x => y` is `function($x) { y }`",
}
_USUAL = ("==", "&&", "||", "!x", "+", ".length")

# Methods of JavaScript that people write after a dot, and the call that does the same.
_METHODS = {
    "toUpperCase": "$uppercase({x})",
    "toLowerCase": "$lowercase({x})",
    "upper": "$uppercase({x})",
    "lower": "$lowercase({x})",
    "startsWith": "$contains({x}, /^.../)",
    "endsWith": "$contains({x}, /...$/)",
    "trim": "$trim({x})",
    "strip": "$trim({x})",
    "split": "$split({x}, ...)",
    "join": "$joined({x}, ...)",
    "includes": "$contains({x}, ...), or ... in {x} for a list",
    "replace": "$replace({x}, ...)",
    "replaceAll": "$replace({x}, ...)",
    "slice": "$substring({x}, ...)",
    "substring": "$substring({x}, ...)",
    "substr": "$substring({x}, ...)",
    "map": "{x}.( ... )",
    "filter": "{x}[ ... ]",
    "find": "{x}[ ... ][0]",
    "some": "$exists({x}[ ... ])",
    "reduce": "$reduce({x}, ...)",
    "sort": "{x}^( ... )",
    "reverse": "$reverse({x})",
    "concat": "$append({x}, ...)",
    "push": "$append({x}, ...)",
    "toString": "$string({x})",
    "toFixed": "$fixed({x}, ...)",
    "length": "$count({x})",
    "keys": "$keys({x})",
    "toISOString": "$time({x})",
    "format": "$date({x}, ...)",
}


def likewise(spelling: str) -> str:
    """Name the other spellings that are not JSONata, in brackets, for the end of a message about one of them."""
    return f"(Likewise: {', '.join(_LIKEWISE[other] for other in _USUAL if other != spelling)}.)"


def instead_of_method(name: str, subject: str) -> str:
    """Say which call does what `.name()` does elsewhere."""
    if name in _METHODS:
        return f"Write {_METHODS[name].replace('{x}', subject)}."
    if name in FUNCTIONS:
        return f"Write ${name}({subject}, ...)."
    return f"Functions are called as $name({subject})."


def nearest(word: str, words: frozenset[str] | set[str]) -> str:
    """Find the word that was probably meant; empty when none is near."""
    # Imported here: only a mistake needs it.
    import difflib

    if len(word) > 64:
        return ""
    lower = {known.lower(): known for known in sorted(words)}
    if word.lower() in lower:
        return lower[word.lower()]
    found = difflib.get_close_matches(word, sorted(words), 1, 0.66)
    return found[0] if found else ""

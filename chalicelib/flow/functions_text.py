"""Functions that make text: lists in words, HTML, slugs, hashes; and money, which is decimal."""

import hashlib
import re
import unicodedata
from decimal import ROUND_HALF_UP, Context, Decimal

from chalicelib.errors import ExpressionError
from chalicelib.flow.exactness import EXACT_LIMIT
from chalicelib.flow.functions import Function, Surroundings, table
from chalicelib.flow.functions_values import as_list
from chalicelib.flow.places import as_text
from chalicelib.flow.values import Json
from chalicelib.flow.wording import kind_of

HASHES = ("md5", "sha1", "sha256", "sha384", "sha512")

_MINOR_UNITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DECIMALS = {code: decimals for decimals, codes in _MINOR_UNITS.items() for code in codes.split()}
"""ISO 4217, list one: currencies whose minor unit is not a hundredth."""

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_MOST_DIGITS = 60
_MOST_DECIMALS = 20
_CONTEXT = Context(prec=4 * _MOST_DIGITS)
_STEPS = [Decimal(1).scaleb(-decimals) for decimals in range(_MOST_DECIMALS + 1)]


def joined(rows: Json = None, separator: Json = ", ") -> str:
    """The rows as text with a separator between them; null is no text, nothing no rows."""
    between = ", " if separator is None else _text("joined", separator)
    return between.join([as_text(row) for row in as_list(rows)])


def lines(rows: Json = None) -> str:
    """The rows as text, one per line."""
    return joined(rows, "\n")


def html(text: Json) -> str:
    """Text that stands for itself in HTML, in attributes too."""
    return _text("html", text).translate(_HTML)


_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def truncate(text: Json, most: Json) -> str:
    """At most so many characters, the last of them an ellipsis where something was cut off."""
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise ExpressionError("`$truncate` wants a whole number of at least 1.  ->  Write $truncate(text, 80).")
    whole = _text("truncate", text)
    return whole if len(whole) <= most else whole[: most - 1] + "…"


def slug(text: Json) -> str:
    """Letters and digits in lower case without accents, everything else a single dash: for addresses and file names."""
    plain = unicodedata.normalize("NFKD", _text("slug", text)).casefold().translate(_LETTERS)
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[\W_]+", "-", bare).strip("-")


_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "\u0131": "i"})
"""Latin letters that Unicode does not decompose."""


def hash_text(text: Json, algorithm: Json = "sha256") -> str:
    """The hash of the text's UTF-8 bytes, in hexadecimal."""
    name = "sha256" if algorithm is None else str(algorithm).lower().replace("-", "")
    if name not in HASHES:
        raise ExpressionError(f"`$hash` does not know this algorithm.  ->  Use one of {', '.join(HASHES)}.")
    return hashlib.new(name, _text("hash", text).encode(), usedforsecurity=False).hexdigest()


def fixed(value: Json, decimals: Json) -> str:
    """The number as text with so many decimals, rounded half up in decimal (12.345 is 12.35)."""
    if not isinstance(decimals, int) or isinstance(decimals, bool) or not 0 <= decimals <= _MOST_DECIMALS:
        raise ExpressionError("`$fixed` wants 0 to 20 decimals.  ->  Write $fixed(x, 2).")
    return format(_round(_decimal("fixed", value), decimals), "f")


def cents(value: Json, currency: Json = "EUR") -> int:
    """An amount of money in the currency's smallest unit, rounded half up in decimal."""
    code = "EUR" if currency is None else currency.upper() if isinstance(currency, str) else ""
    if not re.fullmatch("[A-Z]{3}", code):
        raise ExpressionError('`$cents` wants a currency of three letters.  ->  Write $cents(x, "USD").')
    decimals = _DECIMALS.get(code, 2)
    amount = int(_round(_decimal("cents", value).scaleb(decimals, _CONTEXT), 0))
    if abs(amount) > EXACT_LIMIT:
        raise ExpressionError("`$cents` was given an amount beyond 2^53 units.  ->  Look at where it comes from.")
    return amount


def _decimal(function: str, value: Json) -> Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = repr(value)
    elif isinstance(value, str):
        text = value.strip()
    else:
        raise ExpressionError(
            f"`${function}` wants a number, and was given {kind_of(value)}.  ->  Give it a number, or text like 19.99."
        )
    number = Decimal(text) if len(text) <= _MOST_DIGITS and _DECIMAL.fullmatch(text) else None
    if number is None or abs(number.adjusted()) > _MOST_DIGITS:
        raise ExpressionError(
            f"`${function}` was given text that is no number.  ->  Numbers look like 19.99, without a currency or "
            "thousands separators: take those off with $replace first."
        )
    return number


def _round(number: Decimal, decimals: int) -> Decimal:
    rounded = number.quantize(_STEPS[decimals], rounding=ROUND_HALF_UP, context=_CONTEXT)
    return rounded if rounded else abs(rounded)


def _text(function: str, value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return as_text(value)
    raise ExpressionError(
        f"`${function}` wants text, and was given {kind_of(value)}.  ->  Write it as text first: $string(...) or "
        "$joined(...)."
    )


def uuid(around: Surroundings) -> str:
    """A random UUID (version 4): the same on every worker that evaluates this step."""
    return around.stream.uuid()


TEXT_FUNCTIONS = table(
    Function(
        "$lines(list)",
        "The rows as text, one per line; nothing is no text.",
        '$lines(["a", 2])',
        "a\n2",
        lines,
        least=0,
        wants=0,
    ),
    Function(
        '$joined(list, sep = ", ")',
        "The rows as text with a separator between them; numbers are allowed, nothing is no text.",
        '$joined([1, 2], " and ")',
        "1 and 2",
        joined,
        least=0,
        most=2,
        wants=0,
    ),
    Function(
        "$html(text)",
        "The text with `< > & \" '` escaped, so that it stands for itself in HTML.",
        '$html("<b> & co")',
        "&lt;b&gt; &amp; co",
        html,
    ),
    Function(
        "$truncate(text, n)",
        "At most `n` characters, the last of them an ellipsis where something was cut off.",
        '$truncate("Hello world", 6)',
        "Hello…",
        truncate,
        least=2,
        most=2,
    ),
    Function(
        "$slug(text)",
        "Letters and digits in lower case without accents, joined by dashes.",
        '$slug("Ä b")',
        "a-b",
        slug,
    ),
    Function(
        '$hash(text, alg = "sha256")',
        f"The hash in hexadecimal: {', '.join(HASHES)}.",
        '$hash("a", "md5")',
        "0cc175b9c0f1b6a831c399e269772661",
        hash_text,
        most=2,
    ),
    Function(
        "$uuid()",
        "A random UUID; the same one however often the step is evaluated.",
        "$length($uuid())",
        36,
        uuid,
        least=0,
        most=0,
        wants=0,
        looks_around=True,
    ),
    Function(
        '$cents(x, currency = "EUR")',
        "An amount of money in the currency's smallest unit, rounded half up in decimal.",
        '$cents("19.99")',
        1999,
        cents,
        most=2,
    ),
    Function(
        "$fixed(x, n)",
        "The number as text with `n` decimals, rounded half up in decimal.",
        "$fixed(12.345, 2)",
        "12.35",
        fixed,
        least=2,
        most=2,
    ),
)

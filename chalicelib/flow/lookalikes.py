"""Characters that look like plain ones and are not: from another keyboard, a word processor, or a chat window."""

_LIKE = {
    **dict.fromkeys("\u2018\u2019\u201b\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    "\u00d7": "*",
    "\u00f7": "/",
    "\u2260": "!=",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2192": "=>",
    **dict(zip("\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455", "aeopcyxijs", strict=True)),
    "\u044c": "b",
    **dict(zip("\u03bf\u03bd\u03b1\u03c1", "ovap", strict=True)),
}
"""Typographic quotes, dashes and signs, and the letters of Cyrillic and Greek that are drawn like Latin ones."""


def plain_letter(letter: str) -> str:
    """The plain character that this one looks like; empty where it looks like none."""
    from unicodedata import normalize  # imported late: only mistakes need it

    if letter.isascii():
        return ""
    found = _LIKE.get(letter) or normalize("NFKC", letter)
    return found if found.isascii() and found.strip() else ""


def plain_word(word: str) -> str:
    """A word with its look-alikes replaced; empty where something in it looks like nothing plain."""
    letters = [letter if letter.isascii() else plain_letter(letter) for letter in word]
    return "".join(letters) if all(letters) else ""


def name_of_letter(letter: str) -> str:
    """How Unicode calls a character: `U+0430 cyrillic small letter a`."""
    from unicodedata import name

    return f"U+{ord(letter):04X} {name(letter, '').lower()}".rstrip()


def told_apart(word: str) -> str:
    """` Its `x` is U+0445 cyrillic small letter ha.` for a word with a look-alike in it, else nothing."""
    odd = next((letter for letter in word if not letter.isascii()), "")
    return f" Its `{odd}` is {name_of_letter(odd)}." if odd and plain_letter(odd) else ""

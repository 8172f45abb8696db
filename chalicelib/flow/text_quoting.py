"""Puts quotes around a text for YAML: double ones outside, so that expressions keep single ones inside."""

import json
import re

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z")
"""What is a number in our subset: JSON's grammar, nothing else."""
_LONGEST_SHOWN = 160
WORDS = {"true": True, "false": False, "null": None}

# Characters that never make plain YAML mean anything else, in front and further on.
_PLAIN = re.compile(r"[A-Za-z_/.0-9(+\u00a1-\u167f][^\x00-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]*\Z")
_NEVER_PLAIN = re.compile(r": |:\Z| #|\A-|\A\.\.\.|\A---|[{}\[\],]| \Z")
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_NOT_IN_BLOCK = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def is_plain(text: str) -> bool:
    """Say whether a text may stand without quotes, in a flow map too, and stays text."""
    return (
        _PLAIN.match(text) is not None
        and _NEVER_PLAIN.search(text) is None
        and text not in WORDS
        and NUMBER.match(text) is None
        and "${" not in text
    )


def double_quoted(text: str) -> str:
    """Write a text in double quotes, readable, every other character than text escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def quoted(text: str) -> str:
    """Write a text in quotes on one line: double ones, or single ones where those need no backslash."""
    needs_escapes = double_quoted(text) != f'"{text}"'
    can_be_single = "'" not in text and _NOT_IN_BLOCK.search(text) is None and "\n" not in text and "\t" not in text
    return f"'{text}'" if needs_escapes and can_be_single else double_quoted(text)


def cure(text: str) -> str:
    """Say to put quotes around a text, and show it, if that is short enough to be read."""
    return f"Put quotes around it: {quoted(text)}." if len(text) <= _LONGEST_SHOWN else "Put quotes around it."


def block(text: str, indent: int) -> str | None:
    """Write a text as a block (`|-`, or `|` when it ends with a line end), its lines indented; None when it cannot be.

    The first line must not begin with a space, no line may end with one, and one line end at most may stand at the end.
    """
    body = text.removesuffix("\n")
    lines = body.split("\n")
    unfit = not lines[0] or lines[0][0] in " \t" or not lines[-1] or any(line != line.rstrip() for line in lines)
    if unfit or _NOT_IN_BLOCK.search(text):
        return None
    head = "|" if text.endswith("\n") else "|-"
    pad = " " * indent
    return "\n".join([head, *(pad + line if line else "" for line in lines)])

"""Writes plain data as XML."""

import re
from collections.abc import Iterator, Mapping

from chalicelib.flow.values import Json
from chalicelib.flow.wording import kind_of

DEEPEST = 200

_NAME_START = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_PART = f"[{_NAME_START}][{_NAME_START}0-9.\u00b7\u0300-\u036f\u203f-\u2040-]*"
_NAME = re.compile(f"{_PART}(?::{_PART})?")
"""XML 1.0, fifth edition, production 5, with at most one colon (Namespaces in XML, production 7)."""

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Everything outside production 2."""

_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = str.maketrans({"&": "&amp;", "<": "&lt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})


class UnfitError(Exception):
    """What cannot be written as XML, and why."""


def write(value: Mapping[str, Json], *, indent: int, has_declaration: bool) -> str:
    """The document; UnfitError where the value has not exactly one element, or holds what XML cannot say."""
    if len(value) != 1:
        raise UnfitError(f"a document has one element, and there are {len(value)} fields")
    ((name, content),) = value.items()
    if isinstance(content, list):
        raise UnfitError("a document has one element, and there is a list of them")
    line_end = "\n" if indent else ""
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n' if has_declaration else ""
    return declaration + line_end.join(_element(name, content, indent, 0)) + line_end


def _element(name: str, content: Json, indent: int, depth: int) -> Iterator[str]:
    """The element, in lines that belong below each other where there is an indent."""
    if depth > DEEPEST:
        raise UnfitError(f"it is nested deeper than {DEEPEST} levels")
    margin = " " * (indent * depth)
    tag = _checked(name)
    if not isinstance(content, dict):
        text = _escaped(_scalar(content, name), _IN_TEXT)
        yield f"{margin}<{tag}>{text}</{tag}>" if text else f"{margin}<{tag}/>"
        return
    attributes = "".join(
        f' {_checked(key[1:])}="{_escaped(_scalar(value, key), _IN_ATTRIBUTE)}"'
        for key, value in content.items()
        if key.startswith("@")
    )
    text = _escaped(_scalar(content.get("#text"), "#text"), _IN_TEXT)
    children = [
        (key, one)
        for key, value in content.items()
        if not key.startswith("@") and key != "#text"
        for one in (value if isinstance(value, list) else [value])
    ]
    if not children:
        yield f"{margin}<{tag}{attributes}>{text}</{tag}>" if text else f"{margin}<{tag}{attributes}/>"
    elif text or not indent:
        # Mixed content stands on one line: white space would become part of it.
        inside = "".join(line for key, one in children for line in _element(key, one, 0, depth + 1))
        yield f"{margin}<{tag}{attributes}>{text}{inside}</{tag}>"
    else:
        yield f"{margin}<{tag}{attributes}>"
        for key, one in children:
            yield from _element(key, one, indent, depth + 1)
        yield f"{margin}</{tag}>"


def _scalar(value: Json, name: str) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return value
        case list() | dict():
            raise UnfitError(f"`{name[:60]}` is {kind_of(value)}, and it can only be text")


def _escaped(text: str, table: Mapping[int, str]) -> str:
    if _ILLEGAL.search(text):
        raise UnfitError("it has text with a character that XML does not allow, such as a control character")
    return text.translate(table)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UnfitError(f"`{_ILLEGAL.sub('', name[:60])}` is no name for an element or attribute")
    return name

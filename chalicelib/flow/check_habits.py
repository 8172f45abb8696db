"""Warns of what is allowed and comes from elsewhere by habit: `{{ }}` templates, and secrets written as values."""

import re
from collections.abc import Iterator

from chalicelib.flow.findings import Finding
from chalicelib.flow.model import FlowModel
from chalicelib.flow.values import Json, Pointer

_TEMPLATE = re.compile(
    r"(?<!\$)\{\{-?\s*((?:\$|=|(?:inputs|steps|trigger|vars|item|errors|execution|env|secrets|github|workflow)\b)"
    r"[^{}]{0,200}?)\s*-?\}\}"
)
_SECRET = re.compile(
    r"\bsk_(?:live|test)_\w{8,}|\brk_live_\w{8,}|\bsk-[\w-]{20,}|\bwhsec_[\w+/=]{16,}|\bxox[abeprs]-[\w-]{10,}"
    r"|\bgh[opsu]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{30,}|\bSG\.[\w-]{16,}\."
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|\b[Bb]earer [\w.~+/-]{16,}=*(?![\w}])"
)
"""How the keys of Stripe, OpenAI, Slack, GitHub, GitLab, AWS, Google and SendGrid begin, by their own documentation."""

_NAMES = frozenset({"$json", "$node", "$input", "$item", "$items"})


def check_habits(flow: FlowModel) -> Iterator[Finding]:
    """Every text of the flow that reads like a template of another tool, or like a secret."""
    waiting: list[tuple[Pointer, Json]] = [((key,), value) for key, value in flow.data.items() if key != "description"]
    waiting.reverse()
    while waiting:
        pointer, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(((*pointer, key), part) for key, part in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend(((*pointer, index), part) for index, part in reversed(list(enumerate(value))))
        elif isinstance(value, str):
            yield from _in_text(pointer, value)


def _in_text(pointer: Pointer, text: str) -> Iterator[Finding]:
    if found := _TEMPLATE.search(text):
        inner = found[1].removeprefix("=").strip()
        first = re.match(r"\$?\w*", inner)
        foreign = first is None or first[0] in _NAMES
        do = "Name the step: ${ steps.<id>.<field> }." if foreign else f"Write ${{ {inner} }}."
        what = "Nothing is put in for `{{ }}`: it stays as text."
        yield Finding(pointer, what, do, offset=found.start())
    if found := _SECRET.search(text):
        what = "This looks like a secret. A flow is stored and shown as it stands."
        yield Finding(
            pointer, what, "Store it as a credential, and name that: credential: <name>.", offset=found.start()
        )

"""The form of an approval: what is asked, who answers, why; and each mistake beside its field."""

import unicodedata
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final, NamedTuple

from chalicelib.api.pages import escaped, moment, page
from chalicelib.api.request import Answer
from chalicelib.flow.values import Json
from chalicelib.ports import Asked

LONGEST_NAME: Final = 200
LONGEST_COMMENT: Final = 2_000
DECISIONS: Final = {"approved": "Approve", "rejected": "Reject"}
_IN_TEXT: Final = frozenset("\n\t")
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn the writing direction of what follows: a name could read as another (Unicode, annex 9)."""


_EARLY: Final = (
    "The flow has not come to this step yet, so its question cannot be shown. "
    "You may answer already: the answer is kept until the flow comes here."
)


class Given(NamedTuple):
    """An answer as it was filled in."""

    decision: str = ""
    by: str = ""
    comment: str = ""


def people_of(asked: Asked) -> tuple[str, ...]:
    """Who may answer; empty where whoever has the link may, or where the question is not asked yet."""
    names = asked.parameters.get("by")
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def read_answer(fields: Mapping[str, Json], people: Sequence[str]) -> tuple[Given, dict[str, str]]:
    """The answer, and what is wrong with it by field; `people` are those who may answer, empty for anybody."""
    mistakes: dict[str, str] = {}
    texts: dict[str, str] = {}
    for name in ("decision", "by", "comment"):
        value = fields.get(name)
        if value is not None and not isinstance(value, str):
            what = "This stands more than once" if isinstance(value, list) else "This is no text"
            mistakes[name] = f"{what}. Give one text."
        texts[name] = value.replace("\r\n", "\n").strip() if isinstance(value, str) else ""
    given = Given(**texts)
    for name, what in (
        ("decision", _wrong_decision(given.decision)),
        ("by", _wrong_name(given.by, people)),
        ("comment", _wrong_comment(given.comment)),
    ):
        if what:
            mistakes.setdefault(name, what)
    return given, mistakes


def _wrong_decision(decision: str) -> str:
    return "" if decision in DECISIONS else "Choose Approve or Reject (`approved` or `rejected`)."


def _wrong_name(by: str, people: Sequence[str]) -> str:
    if not by:
        return "Say who answers."
    if people and by not in people:
        return f"This name is not among those who may answer: {', '.join(people)}."
    if len(by) > LONGEST_NAME:
        return f"The name has {len(by):,} characters; {LONGEST_NAME} are the most."
    is_name = not any(_is_control(each) or each in _TURNING for each in by)
    return "" if is_name else "The name holds characters that none has."


def _wrong_comment(comment: str) -> str:
    if len(comment) > LONGEST_COMMENT:
        return f"The comment has {len(comment):,} characters; {LONGEST_COMMENT:,} are the most."
    is_text = not any(_is_control(each) and each not in _IN_TEXT for each in comment)
    return "" if is_text else "The comment holds control characters. Take them out."


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs"}


def form_page(asked: Asked, given: Given | None = None, mistakes: Mapping[str, str] | None = None) -> Answer:
    """The page that asks; with `mistakes` once more, as it was filled in, each mistake beside its field."""
    filled, wrong = given or Given(), mistakes or {}
    title = f"Approval needed: {asked.name}"
    content = [
        *_summary(wrong),
        f"<h1>Approval needed: {escaped(asked.name)}</h1>",
        *_question(asked),
        "<dl>",
        f"<dt>Flow</dt><dd>{escaped(asked.flow)}</dd>",
        f"<dt>Step</dt><dd>{escaped(asked.step)}</dd>",
        f"<dt>Expires</dt><dd>{_expires(asked)}</dd>",
        "</dl>",
        '<form method="post" accept-charset="utf-8">',
        # A form's first button answers the Enter key. This one does nothing, so that Enter in the name decides nothing.
        '<button type="submit" disabled hidden>Nothing</button>',
        *_who(asked, filled.by, wrong.get("by", "")),
        *_why(filled.comment, wrong.get("comment", "")),
        *_buttons(wrong.get("decision", "")),
        "</form>",
    ]
    return page(422 if wrong else 200, f"Error: {title}" if wrong else title, content)


def answered_page(asked: Asked, given: Given, *, is_early: bool) -> Answer:
    """The page that says what was recorded."""
    title = "Approved" if asked.port == "approved" else "Rejected"
    content = [
        f"<h1>{title}: {escaped(asked.name)}</h1>",
        *_question(asked),
        f"<p>Recorded: <strong>{escape(asked.port)}</strong> by <strong>{escaped(given.by)}</strong>.</p>",
    ]
    if given.comment:
        content += ["<h2>Comment</h2>", f'<p class="asked" dir="auto">{escape(given.comment)}</p>']
    if is_early:
        content.append("<p>The flow has not come to this step yet. Your answer is kept until it does.</p>")
    content.append("<p>You can close this page. The link works once: it cannot be used again.</p>")
    return page(200, f"{title}: {asked.name}", content)


def _question(asked: Asked) -> list[str]:
    ask = asked.parameters.get("ask")
    if isinstance(ask, str) and ask:
        return [f'<p class="asked" dir="auto">{escape(ask)}</p>']
    if asked.status == "early":
        return [f"<p>{_EARLY}</p>"]
    return []


def _expires(asked: Asked) -> str:
    if asked.due:
        return moment(asked.due)
    return "not known yet" if asked.status == "early" else "never"


def _summary(wrong: Mapping[str, str]) -> list[str]:
    """All mistakes at the top, each leading to its field."""
    if not wrong:
        return []
    items = [f'<li><a href="#{name}">{escape(what)}</a></li>' for name, what in wrong.items()]
    return [
        '<div class="summary" role="alert">',
        "<h2>Nothing was recorded yet</h2>",
        "<ul>",
        *items,
        "</ul>",
        "</div>",
    ]


def _who(asked: Asked, by: str, wrong: str) -> list[str]:
    people, about = people_of(asked), _described("by", wrong)
    if not people:
        kind = f'type="text" required maxlength="{LONGEST_NAME}" autocomplete="name"'
        return [
            '<div class="field">',
            '<label for="by">Your name</label>',
            '<span class="hint" id="by-hint">It is recorded with the answer.</span>',
            *_wrong("by", wrong),
            f'<input id="by" name="by" {kind} value="{escape(by)}"{about}>',
            "</div>",
        ]
    chosen = people[0] if len(people) == 1 and not by else by
    options = [
        f'<option value="{escape(name)}"{" selected" if name == chosen else ""}>{escape(name)}</option>'
        for name in people
    ]
    return [
        '<div class="field">',
        '<label for="by">Who are you?</label>',
        '<span class="hint" id="by-hint">These people may answer. The name is recorded with the answer.</span>',
        *_wrong("by", wrong),
        f'<select id="by" name="by" required{about}>',
        '<option value="">Choose</option>',
        *options,
        "</select>",
        "</div>",
    ]


def _why(comment: str, wrong: str) -> list[str]:
    return [
        '<div class="field">',
        '<label for="comment">Comment (optional)</label>',
        f'<span class="hint" id="comment-hint">At most {LONGEST_COMMENT:,} characters.</span>',
        *_wrong("comment", wrong),
        # HTML drops a line break right after the tag: this one is there to be dropped, so that none of the text's is.
        f'<textarea id="comment" name="comment" rows="4"{_described("comment", wrong)}>\n{escape(comment)}</textarea>',
        "</div>",
    ]


def _buttons(wrong: str) -> list[str]:
    buttons = [
        f'<button type="submit" name="decision" value="{value}">{label}</button>' for value, label in DECISIONS.items()
    ]
    about = ' aria-describedby="decision-wrong"' if wrong else ""
    return [
        f'<div class="field" id="decision" tabindex="-1" role="group" aria-label="Your answer"{about}>',
        *_wrong("decision", wrong),
        *buttons,
        "</div>",
    ]


def _wrong(name: str, what: str) -> list[str]:
    return [f'<span class="wrong" id="{name}-wrong">Error: {escape(what)}</span>'] if what else []


def _described(name: str, wrong: str) -> str:
    """The attributes that tie a field to its hint and its mistake."""
    if wrong:
        return f' aria-describedby="{name}-hint {name}-wrong" aria-invalid="true"'
    return f' aria-describedby="{name}-hint"'

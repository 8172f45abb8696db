"""Pages that people see: plain HTML without a script, readable by everybody, loading nothing from anywhere.

Whatever is shown may come from strangers: every text is escaped here, and the policy that goes with each page forbids
scripts, frames and foreign addresses (content-security-policy; HTML Living Standard for the rest).
"""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import Final

from chalicelib.api.request import Answer
from chalicelib.api.times import from_milliseconds, to_text
from chalicelib.errors import PenstockError

# Contrast (WCAG 2.2, 1.4.6 and 1.4.11): text at least 7 to 1 on its ground, edges of fields at least 4.5 to 1.
_STYLE: Final = """\
:root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fff;--quiet:#4a4a4a;--edge:#767676;--wrong:#9b1111;--link:#0b4f9c}
@media (prefers-color-scheme:dark){
:root{--ink:#f2f2f2;--paper:#161616;--quiet:#c4c4c4;--edge:#949494;--wrong:#ffb0a8;--link:#9cc9ff}
}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.5 system-ui,sans-serif}
main{max-width:40rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem;overflow-wrap:anywhere}
h2{font-size:1.0625rem;margin:0 0 .5rem}
p,dl,ul{margin:0 0 1rem}
a{color:var(--link)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;color:var(--quiet)}
dd{margin:0;overflow-wrap:anywhere}
.asked{border-left:.25rem solid var(--edge);padding:.25rem 0 .25rem 1rem;white-space:pre-wrap;overflow-wrap:anywhere}
.field{margin:0 0 1.25rem}
label{display:block;font-weight:600}
.hint{display:block;color:var(--quiet);font-size:.9375rem}
.wrong{display:block;color:var(--wrong);font-weight:600}
.summary{border:2px solid var(--wrong);padding:1rem;margin:0 0 1.5rem}
.summary ul{margin:0;padding-left:1.25rem}
input,select,textarea{display:block;width:100%;margin-top:.25rem;padding:.5rem;font:inherit;color:inherit}
input,select,textarea{background:var(--paper);border:1px solid var(--edge);border-radius:.25rem}
[aria-invalid=true]{border:2px solid var(--wrong)}
textarea{min-height:6rem}
button{font:inherit;font-weight:600;min-height:2.75rem;min-width:8rem;margin:0 .75rem .75rem 0;padding:.5rem 1.25rem}
button{border-radius:.25rem;border:2px solid var(--ink);cursor:pointer}
button[value=approved]{background:#0b5c2a;border-color:#0b5c2a;color:#fff}
button[value=rejected]{background:var(--paper);color:var(--ink)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
"""
_STYLE_HASH: Final = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = (
    ("content-type", "text/html; charset=utf-8"),
    ("cache-control", "no-store"),
    ("x-robots-tag", "noindex, nofollow"),
    ("content-security-policy", _POLICY),
)
"""Kept by no cache, indexed by nobody, with a policy of its own; `answer_headers` says what every answer does: that it
is framed by nobody, and that its address, which is the authority, is told to nobody."""


def escaped(value: str) -> str:
    """A stranger's text as HTML, in an element that keeps its writing direction to itself."""
    return f"<bdi>{escape(value)}</bdi>"


def page(status: int, title: str, content: Sequence[str], headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """A whole page; `title` is plain text, `content` is HTML, a line each."""
    lines = (
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f"<title>{escape(title)}</title>",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="robots" content="noindex, nofollow">',
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        *content,
        "</main>",
        "</body>",
        "</html>",
        "",
    )
    return Answer(status, (*HEADERS, *headers), "\n".join(lines).encode("utf-8", "replace"))


def error_page(error: PenstockError) -> Answer:
    """An error for a person: what it is, and what to do."""
    heading = _HEADINGS.get(error.code, "This did not work")
    headers = [("retry-after", str(max(0, -int(-error.retry_after // 1))))] if error.retry_after is not None else []
    content = [f"<h1>{escape(heading)}</h1>", f"<p>{escape(error.detail)}</p>"]
    if error.status >= 500:
        content.append("<p>Whether it was recorded is not known. Open the link again in a moment to see.</p>")
    return page(error.status, heading, content, tuple(headers))


def moment(milliseconds: int) -> str:
    """A time as a person reads it, marked up for programs: `22 November 2026, 07:00 UTC`."""
    at = from_milliseconds(milliseconds)
    words = f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"
    return f'<time datetime="{to_text(milliseconds)}">{words}</time>'


_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_HEADINGS: Final = {
    "link_wrong": "This link leads nowhere",
    "link_used": "This was answered before",
    "link_expired": "This link has expired",
    "execution_ended": "This has ended",
    "consent_unknown": "Nobody asked for this",
    "consent_used": "This was answered before",
    "consent_expired": "The time for this is over",
    "consent_denied": "Not connected",
    "token_refused": "Not connected",
    "token_trouble": "Not connected",
    "body_too_large": "This is too much text",
    "body_unreadable": "This form could not be read",
    "store": "This could not be recorded just now",
}

"""Secrets that this process knows, so that whoever writes log lines can strike them out.

What steps store and answer is masked where it is made (`worker.redaction`); this is for what nobody foresaw.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Final, cast

STRUCK: Final = "***"
_SHORTEST: Final = 6
"""Striking out a shorter text would garble lines and hide nothing that could not be guessed."""
_MOST: Final = 5_000

_opened: set[str] = set()


class StrikingFormatter(logging.Formatter):
    """Writes lines, tracebacks included, without the secrets of the environment and of what was opened."""

    def __init__(self, form: str, environment: Mapping[str, str]) -> None:
        """Take the form of a line, and where secrets stand that are known from the start."""
        super().__init__(form)
        self._known = secrets_in(environment)

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return struck(super().format(record), self._known)


def keep_out_of_logs(values: Iterable[str]) -> None:
    """A credential was opened here: strike its secrets out of every line from now on."""
    if len(_opened) > _MOST:
        _opened.clear()
    _opened.update(value for value in values if len(value) >= _SHORTEST)


def secrets_in(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Every text in the environment that must not be logged, longest first: fields of credentials, AWS's own keys."""
    found: set[str] = set()
    for name, value in environment.items():
        if name.startswith("PENSTOCK_CREDENTIAL_"):
            found |= {value, *_texts(value)}
        elif name in {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}:
            found.add(value)
    return _longest_first(found)


def struck(line: str, known: tuple[str, ...]) -> str:
    """The line without any of these secrets, and without those of credentials that were opened here."""
    for secret in (*known, *(_longest_first(_opened) if _opened else ())):
        line = line.replace(secret, STRUCK)
    return line


def _longest_first(found: set[str]) -> tuple[str, ...]:
    forms = found | {json.dumps(each)[1:-1] for each in found}  # as they stand in a line of JSON
    return tuple(sorted((each for each in forms if len(each) >= _SHORTEST), key=len, reverse=True))


def _texts(value: str) -> set[str]:
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError):
        return set()
    if not isinstance(fields, dict):
        return set()
    return {each for each in cast("dict[str, object]", fields).values() if isinstance(each, str)}

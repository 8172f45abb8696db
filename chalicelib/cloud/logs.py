"""How the functions log: a JSON object a line, with known secrets struck out. Nothing is imported until somebody logs.

Powertools' formatter costs a cold start about 30 ms; a delivery that is accepted logs nothing, and does not pay it.
"""

import json
import logging
import sys
from collections.abc import Mapping
from typing import Final, TextIO, cast

STRUCK: Final = "***"
_SHORTEST_SECRET: Final = 6
"""Striking out a shorter text would garble lines and hide nothing that could not be guessed."""


def secrets_in(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Every text in the environment that must not be logged, longest first: fields of credentials, AWS's own keys."""
    found: set[str] = set()
    for name, value in environment.items():
        if name.startswith("PENSTOCK_CREDENTIAL_"):
            found |= {value, *_texts(value)}
        elif name in {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}:
            found.add(value)
    found |= {json.dumps(each)[1:-1] for each in found}  # as they stand in a line of JSON
    return tuple(sorted((each for each in found if len(each) >= _SHORTEST_SECRET), key=len, reverse=True))


def _texts(value: str) -> set[str]:
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError):
        return set()
    if not isinstance(fields, dict):
        return set()
    return {each for each in cast("dict[str, object]", fields).values() if isinstance(each, str)}


class LateJsonHandler(logging.Handler):
    """Writes records as JSON lines; it makes its formatter when the first one comes."""

    def __init__(self, service: str, environment: Mapping[str, str], stream: TextIO | None = None) -> None:
        """Take the service's name for every line, and where known secrets stand."""
        super().__init__()
        self._service = service
        self._environment = environment
        self._stream = stream
        self._secrets: tuple[str, ...] = ()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; a record that cannot be written is reported as the standard library does."""
        try:
            if self.formatter is None:
                from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

                self._secrets = secrets_in(self._environment)
                self.setFormatter(LambdaPowertoolsFormatter(service=self._service, utc=True))
            line = self.format(record)
            for secret in self._secrets:
                line = line.replace(secret, STRUCK)
            stream = self._stream or sys.stdout
            stream.write(line + "\n")
            stream.flush()
        except Exception:  # noqa: BLE001  logging must never break what it logs about
            self.handleError(record)


def log_to_lambda(service: str, environment: Mapping[str, str]) -> None:
    """Make the root logger write JSON lines, instead of what Lambda's runtime put there."""
    root = logging.getLogger()
    root.handlers[:] = [LateJsonHandler(service, environment)]
    root.setLevel(environment.get("PENSTOCK_LOG", "INFO"))

"""Secrets struck out of log lines."""

import logging
import sys

from chalicelib.adapters.struck import StrikingFormatter, keep_out_of_logs


def line(message, *arguments, error=None):
    formatter = StrikingFormatter(
        "%(levelname)s %(message)s", {"PENSTOCK_CREDENTIAL_A": '{"token": "of-the-environment"}'}
    )
    return formatter.format(logging.LogRecord("penstock", logging.ERROR, "f.py", 1, message, arguments, error))


def test_what_the_environment_holds_and_what_was_opened_is_struck_out_of_lines_and_tracebacks():
    keep_out_of_logs(["a-secret-of-the-vault"])
    assert line("sent %s and %s", "of-the-environment", "a-secret-of-the-vault") == "ERROR sent *** and ***"
    try:
        int("a-secret-of-the-vault")
    except ValueError:
        shown = line("failed", error=sys.exc_info())
    assert "invalid literal for int() with base 10: '***'" in shown
    assert "a-secret-of" not in shown


def test_what_is_no_secret_stays():
    assert line("nothing %s", "here") == "ERROR nothing here"

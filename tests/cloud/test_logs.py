"""The functions' log lines: JSON, secrets struck out, nothing imported before the first."""

import io
import json
import logging
import subprocess
import sys

from chalicelib.adapters.struck import keep_out_of_logs, secrets_in
from chalicelib.cloud.logs import LateJsonHandler

ENVIRONMENT = {
    "PENSTOCK_CREDENTIAL_SHOP": '{"secret": "s3cr3t-of-the-shop", "user": "ab"}',
    "PENSTOCK_CREDENTIAL_ODD": '{"token": "with\\"quote-and-\\\\slash"}',
    "AWS_SECRET_ACCESS_KEY": "aws-secret-key",
    "PENSTOCK_STAGE": "development",
}


def written(*records):
    stream = io.StringIO()
    handler = LateJsonHandler("penstock-dev", ENVIRONMENT, stream)
    for message, arguments, extra in records:
        record = logging.LogRecord("penstock.api", logging.WARNING, "file.py", 3, message, arguments, None)
        record.__dict__.update(extra)
        handler.emit(record)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_line_of_json_with_its_extra_fields():
    (line,) = written(("Execution %s failed", ("e1",), {"code": "timeout"}))
    assert line["message"] == "Execution e1 failed"
    assert (line["level"], line["service"], line["code"]) == ("WARNING", "penstock-dev", "timeout")


def test_a_line_break_in_a_message_makes_no_second_line():
    assert len(written(("one\ntwo", (), {}))) == 1


def test_known_secrets_are_struck_out_wherever_they_stand():
    lines = written(
        ("sent s3cr3t-of-the-shop", (), {}),
        ("sent %s", ('with"quote-and-\\slash',), {}),
        ("signed", (), {"key": "aws-secret-key"}),
    )
    text = json.dumps(lines)
    assert "s3cr3t-of-the-shop" not in text
    assert "quote-and" not in text
    assert "aws-secret-key" not in text
    assert text.count("***") == 3


def test_what_was_opened_of_the_vault_is_struck_out_too():
    keep_out_of_logs(["opened-of-the-vault", 'with"a-quote', "short"])
    text = json.dumps(written(("sent opened-of-the-vault", (), {}), ("short", (), {"key": 'with"a-quote'})))
    assert "opened-of" not in text
    assert "a-quote" not in text
    assert "short" in text


def test_what_is_no_secret_stays():
    assert "development" not in secrets_in(ENVIRONMENT)
    assert "ab" not in secrets_in(ENVIRONMENT), "striking out two letters would garble every line"


def test_a_record_that_cannot_be_written_does_not_stop_who_logs(capsys):
    written(("%d", ("no number",), {}))
    assert "no number" in capsys.readouterr().err


def test_powertools_is_not_imported_before_the_first_line():
    program = (
        "import sys, logging; from chalicelib.cloud.logs import log_to_lambda; log_to_lambda('x', {});"
        "print('aws_lambda_powertools' in sys.modules); logging.getLogger('a').warning('b');"
        "print('aws_lambda_powertools' in sys.modules)"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert (out[0], out[2]) == ("False", "True")
    assert json.loads(out[1])["message"] == "b"

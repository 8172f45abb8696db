"""Programs for `code.javascript`, run in the very sandbox that flows use."""

import asyncio
from datetime import UTC, datetime

from chalicelib.adapters.sandbox import ProcessSandbox
from chalicelib.kit.values import Failed, Moment, RunCode
from chalicelib.worker.code import Place, run_code
from chalicelib.worker.redaction import Secrets

MOMENT = Moment(datetime(2026, 11, 20, 7, 0, tzinfo=UTC), "Europe/Berlin", bytes(range(32)))


class Programs:
    """A sandbox on a loop of its own, kept from one program to the next."""

    def __init__(self):
        self.runner = asyncio.Runner()
        self.sandbox = ProcessSandbox()
        self.secrets = Secrets()

    def outcome(self, code, given=None, *, seconds=10.0, moment=MOMENT, tenant="main"):
        ask, place = RunCode("javascript", code, given), Place(tenant, "01j" + "0" * 23, "compute")
        return self.runner.run(run_code(self.sandbox, ask, place, moment, seconds, self.secrets))

    def value(self, code, given=None, **options):
        found = self.outcome(code, given, **options)
        assert not isinstance(found, Failed), found.failure
        return found.value

    def failure(self, code, given=None, **options):
        found = self.outcome(code, given, **options)
        assert isinstance(found, Failed), found
        return found.failure

    def close(self):
        self.runner.run(self.sandbox.close())
        self.runner.close()

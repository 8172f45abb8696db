"""Scopes: a key for some flows does nothing to the others, and does not learn of them."""

import pytest

from chalicelib.api.auth import Caller, Grant, Role
from chalicelib.api.scopes import grants_of, may_give
from chalicelib.engine.records import Birth, RecordKey
from chalicelib.engine.writes import Create
from chalicelib.errors import UsageError
from tests.api.house import NOW, OPEN, STEPS, House, conforms, details, failed, image, loaded, refused
from tests.api.house import Status as _Status

FLOWS = ("order-in", "order-out", "shop", "payroll")
EXECUTION = "01" + "a" * 24


def flow_named(name):
    return OPEN.replace("flow: shop", f"flow: {name}") + STEPS

"""What the tests of the sandbox share."""

import pytest

from tests.sandbox.programs import Programs


@pytest.fixture(scope="module")
def programs():
    made = Programs()
    yield made
    made.close()

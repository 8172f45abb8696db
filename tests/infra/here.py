"""A stage's stack on the shared local AWS, and the environment of whoever deploys or runs there."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chalicelib.adapters.aws.names import Names
from infra.provision import Provisioner
from tests.aws_server import REGION, fresh_name

ROOT = Path(__file__).parent.parent.parent
ACCOUNT = "123456789012"


def fresh_names() -> Names:
    """The names of a stage that no other test has."""
    return Names.of(fresh_name("s").replace("-", ""), ACCOUNT, REGION)


def session() -> Any:
    """A boto3 session; the endpoint comes from the environment."""
    import boto3

    return boto3.session.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """The process's environment with nothing of AWS's or ours but these."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("AWS_", "PENSTOCK_"))]:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def on(url: str, names: Names | None = None, **variables: str) -> Any:
    """The environment that a function, or a deployer, has on this local AWS."""
    stage = {"PENSTOCK_STAGE": names.stage, "PENSTOCK_ACCOUNT": names.account} if names else {}
    return environment(
        AWS_ENDPOINT_URL=url,
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        **stage,
        **variables,
    )


def provision(names: Names) -> Provisioner:
    """Make the stage's stack."""
    provisioner = Provisioner(session(), names, ROOT)
    for instruction in provisioner.plan():
        provisioner.execute(instruction)
    return provisioner

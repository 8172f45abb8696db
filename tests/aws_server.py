"""A local AWS for tests: `tools.aws_local` in a process of its own on a free loopback port, once per test process.

`tests/conftest.py` makes the fixture `aws_url` known to every test. Names of tables, queues and
buckets must be the test's own, since the server is shared; `fresh_name()` makes one.
"""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REGION = "eu-central-1"
_ROOT = Path(__file__).parent.parent
_names = itertools.count(1)


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    """The address of a running local AWS."""
    with local_aws() as url:
        yield url


@contextlib.contextmanager
def local_aws(*options: str) -> Iterator[str]:
    """Start a local AWS, yield its address, and end it by its process id; it also ends with this process."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tools.aws_local", "--port", "0", "--quiet", "--leashed", *options],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PYTEST_"))},
        )
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                log.seek(0)
                raise RuntimeError(f"the local AWS did not start: {log.read().decode()[-2000:]}")
            yield url
        finally:
            process.stdin.close()
            process.terminate()
            process.wait(20)
            process.stdout.close()


def fresh_name(stem: str = "test") -> str:
    """A name that no other test of this process has."""
    return f"{stem}-{os.getpid()}-{next(_names)}"


def boto(url: str, service: str, *, key: str = "testing", secret: str = "testing") -> Any:
    """A boto3 client of the local AWS: the oracle, and the way to create tables, queues and buckets."""
    import boto3

    session = boto3.session.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=REGION)
    return session.client(service, endpoint_url=url)


@contextlib.contextmanager
def verifying_signatures(url: str) -> Iterator[tuple[str, str]]:
    """While it lasts every call's signature is verified; yields the key id and secret of a user who may do everything."""
    iam = boto(url, "iam")
    name = fresh_name("user")
    iam.create_user(UserName=name)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="everything", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    _reset_auth(url, "0")
    try:
        yield key["AccessKeyId"], key["SecretAccessKey"]
    finally:
        _reset_auth(url, "inf")


def _reset_auth(url: str, unverified_calls: str) -> None:
    request = urllib.request.Request(
        f"{url}/moto-api/reset-auth", unverified_calls.encode(), {"Content-Type": "text/plain"}, method="POST"
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200

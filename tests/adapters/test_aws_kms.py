"""Data keys wrapped by KMS: bound to their place, opened by our own key alone, brought under its newest material."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest

from chalicelib.adapters.aws.client import Aws, Endpoints
from chalicelib.adapters.aws.kms import KmsKeys
from chalicelib.adapters.aws.names import Names
from chalicelib.adapters.clock import SystemClock
from chalicelib.adapters.http import client_for_engine
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.errors import StoreError
from chalicelib.signing.forms import AwsKeys
from chalicelib.vault.errors import MasterKeyUnknownError, SealBrokenError
from chalicelib.vault.keys import KeyService, Wrapped
from tests.aws_server import REGION, boto, fresh_name, verifying_signatures

CONTEXT = {"tenant": "main", "credential": "crm", "version": "3"}
ANYBODY = AwsKeys("testing", "testing")
DATA_KEY = bytes(range(32))
NAMES = Names.of(fresh_name("s").replace("-", "")[:20], "123456789012", REGION)


@pytest.fixture(scope="module")
def key_arn(aws_url: str) -> Iterator[str]:
    """The stage's key, and its alias as the stack makes it."""
    kms = boto(aws_url, "kms")
    made = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName=NAMES.key_alias, TargetKeyId=made["KeyId"])
    yield made["Arn"]
    kms.delete_alias(AliasName=NAMES.key_alias)


def play(url: str, scene: Callable[[KmsKeys], Awaitable[None]], keys: AwsKeys = ANYBODY) -> Aws:
    endpoints = Endpoints(every=url)

    async def whole() -> Aws:
        http = client_for_engine(EgressPolicy.for_engine(endpoints.named()))
        aws = Aws(http, keys, REGION, endpoints, SystemClock(), jitter=random.random)
        try:
            await scene(KmsKeys(aws, NAMES))
        finally:
            await http.close()
        return aws

    return asyncio.run(whole())


def test_what_is_wrapped_is_unwrapped_by_one_call_each_and_only_in_its_place(aws_url: str, key_arn: str) -> None:
    async def scene(keys: KmsKeys) -> None:
        service: KeyService = keys
        wrapped = await service.wrap(DATA_KEY, CONTEXT)
        assert wrapped.key == key_arn
        assert DATA_KEY not in wrapped.blob
        assert await service.unwrap(wrapped, CONTEXT) == DATA_KEY
        for name, other in (("tenant", "acme"), ("credential", "mail"), ("version", "4")):
            with pytest.raises(SealBrokenError):
                await service.unwrap(wrapped, {**CONTEXT, name: other})
        with pytest.raises(SealBrokenError):
            await service.unwrap(wrapped, {})

    aws = play(aws_url, scene)
    assert aws.tally.calls == {"kms.Encrypt": 1, "kms.Decrypt": 5}


def test_what_was_altered_is_refused(aws_url: str, key_arn: str) -> None:
    async def scene(keys: KmsKeys) -> None:
        wrapped = await keys.wrap(DATA_KEY, CONTEXT)
        flipped = wrapped.blob[:-1] + bytes([wrapped.blob[-1] ^ 1])
        for blob in (flipped, wrapped.blob[:40], b""):
            with pytest.raises(SealBrokenError):
                await keys.unwrap(replace(wrapped, blob=blob), CONTEXT)

    play(aws_url, scene)


def test_a_key_of_another_account_or_none_at_all_is_never_asked(aws_url: str, key_arn: str) -> None:
    async def scene(keys: KmsKeys) -> None:
        wrapped = await keys.wrap(DATA_KEY, CONTEXT)
        for key in (key_arn.replace("123456789012", "210987654321"), "alias/penstock-prod", "", "local-1"):
            for work in (keys.unwrap, keys.rewrap):
                with pytest.raises(MasterKeyUnknownError):
                    await work(Wrapped(key, wrapped.blob), CONTEXT)

    aws = play(aws_url, scene)
    assert aws.tally.calls == {"kms.Encrypt": 1}


def test_a_data_key_is_brought_under_the_key_that_the_alias_names_now(aws_url: str, key_arn: str) -> None:
    kms = boto(aws_url, "kms")
    newer = kms.create_key()["KeyMetadata"]["Arn"]

    async def scene(keys: KmsKeys) -> None:
        wrapped = await keys.wrap(DATA_KEY, CONTEXT)
        kms.update_alias(AliasName=NAMES.key_alias, TargetKeyId=newer)
        try:
            assert await keys.unwrap(wrapped, CONTEXT) == DATA_KEY, "the former key still opens what it wrapped"
            again = await keys.rewrap(wrapped, CONTEXT)
        finally:
            kms.update_alias(AliasName=NAMES.key_alias, TargetKeyId=key_arn)
        assert again.key == newer
        assert await keys.unwrap(again, CONTEXT) == DATA_KEY
        with pytest.raises(SealBrokenError):
            await keys.rewrap(wrapped, {**CONTEXT, "tenant": "acme"})

    play(aws_url, scene)


def test_a_key_that_is_gone_or_disabled_says_so(aws_url: str, key_arn: str) -> None:
    kms = boto(aws_url, "kms")

    async def scene(keys: KmsKeys) -> None:
        wrapped = await keys.wrap(DATA_KEY, CONTEXT)
        gone = key_arn.rpartition("/")[0] + "/00000000-0000-0000-0000-000000000000"
        with pytest.raises(MasterKeyUnknownError, match="not there"):
            await keys.unwrap(Wrapped(gone, wrapped.blob), CONTEXT)
        kms.delete_alias(AliasName=NAMES.key_alias)
        try:
            with pytest.raises(MasterKeyUnknownError, match=NAMES.key_alias):
                await keys.wrap(DATA_KEY, CONTEXT)
        finally:
            kms.create_alias(AliasName=NAMES.key_alias, TargetKeyId=key_arn)

    play(aws_url, scene)


def test_calls_are_signed_for_kms_and_strangers_are_refused(aws_url: str, key_arn: str) -> None:
    async def scene(keys: KmsKeys) -> None:
        assert await keys.unwrap(await keys.wrap(DATA_KEY, CONTEXT), CONTEXT) == DATA_KEY

    async def refused(keys: KmsKeys) -> None:
        with pytest.raises(StoreError) as caught:
            await keys.wrap(DATA_KEY, CONTEXT)
        assert "testing" not in caught.value.detail

    with verifying_signatures(aws_url) as (key, secret):
        play(aws_url, scene, AwsKeys(key, secret))
        play(aws_url, refused, AwsKeys(key, "wrong"))

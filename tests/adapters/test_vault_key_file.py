"""Master keys in a file: made private, refused where it is loose, renewed without losing one."""

import asyncio
import json
import os
from base64 import b64decode, b64encode

import pytest

from chalicelib.adapters.private_file import read_private, write_private
from chalicelib.adapters.vault_key_file import VaultKeyFile
from chalicelib.errors import SettingError
from chalicelib.vault.errors import MasterKeyUnknownError, SealBrokenError
from chalicelib.vault.keys import Wrapped

CONTEXT = {"tenant": "main", "credential": "crm", "version": "1"}
DATA_KEY = bytes(range(32))


def run(work):
    return asyncio.run(work)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "house" / "vault-key"


def names_in(folder):
    return sorted(each.name for each in folder.iterdir())


def wrapped(path, context=CONTEXT):
    return run(VaultKeyFile(path).wrap(DATA_KEY, context))


def test_the_file_is_made_with_the_first_key_and_for_its_owner_alone(path):
    assert run(VaultKeyFile(path).unwrap(wrapped(path), CONTEXT)) == DATA_KEY
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert oct(path.parent.stat().st_mode & 0o777) == "0o700"
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert names_in(path.parent) == [".gitignore", "vault-key"]


def test_nothing_is_made_by_looking(path):
    with pytest.raises(MasterKeyUnknownError, match="There is no"):
        run(VaultKeyFile(path).unwrap(Wrapped("master-1", bytes(60)), CONTEXT))
    assert not path.parent.exists()


def test_every_flipped_bit_of_a_wrapped_key_is_refused(path):
    found = wrapped(path)
    keys = VaultKeyFile(path)

    async def every():
        for bit in range(len(found.blob) * 8):
            blob = bytearray(found.blob)
            blob[bit // 8] ^= 1 << bit % 8
            with pytest.raises(SealBrokenError):
                await keys.unwrap(Wrapped(found.key, bytes(blob)), CONTEXT)
        for short in range(28):
            with pytest.raises(SealBrokenError):
                await keys.unwrap(Wrapped(found.key, found.blob[:short]), CONTEXT)

    run(every())


@pytest.mark.parametrize("name", CONTEXT)
def test_a_data_key_is_unwrapped_in_its_own_context_alone(path, name):
    with pytest.raises(SealBrokenError):
        run(VaultKeyFile(path).unwrap(wrapped(path), {**CONTEXT, name: "other"}))


def test_a_master_key_under_another_name_is_another(path):
    found = wrapped(path)
    data = json.loads(path.read_text())
    data["keys"]["master-0"] = data["keys"][found.key]
    path.write_text(json.dumps(data))
    with pytest.raises(SealBrokenError):
        run(VaultKeyFile(path).unwrap(Wrapped("master-0", found.blob), CONTEXT))


def test_a_key_of_another_file_is_said_to_be_unknown(path, tmp_path):
    wrapped(path)
    with pytest.raises(MasterKeyUnknownError, match="does not hold"):
        run(VaultKeyFile(path).unwrap(wrapped(tmp_path / "second" / "vault-key"), CONTEXT))


def test_a_new_master_key_takes_over_and_the_former_one_still_opens(path):
    async def story():
        keys, before = VaultKeyFile(path), wrapped_before
        name = await keys.renew()
        assert name != before.key
        assert await keys.unwrap(before, CONTEXT) == DATA_KEY
        after = await keys.rewrap(before, CONTEXT)
        assert after.key == name
        assert await keys.rewrap(after, CONTEXT) is after
        assert await keys.unwrap(after, CONTEXT) == DATA_KEY
        assert (await keys.wrap(DATA_KEY, CONTEXT)).key == name

    wrapped_before = wrapped(path)
    run(story())
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert len(json.loads(path.read_text())["keys"]) == 2


def test_a_process_that_knows_the_former_file_reads_what_another_renewed(path):
    async def story():
        here, there = VaultKeyFile(path), VaultKeyFile(path)
        await here.wrap(DATA_KEY, CONTEXT)
        await there.renew()
        assert await here.unwrap(await there.wrap(DATA_KEY, CONTEXT), CONTEXT) == DATA_KEY

    run(story())


def test_nothing_is_wrapped_under_a_key_that_was_taken_out_of_the_file(path):
    async def story():
        keys = VaultKeyFile(path)
        first = await keys.wrap(DATA_KEY, CONTEXT)
        await VaultKeyFile(path).renew()
        data = json.loads(path.read_text())
        del data["keys"][first.key]
        path.write_text(json.dumps(data))
        assert (await keys.wrap(DATA_KEY, CONTEXT)).key == data["current"]

    run(story())


def test_of_many_who_make_the_file_one_does(path):
    async def story():
        all_keys = [VaultKeyFile(path) for _ in range(8)]
        found = await asyncio.gather(*(keys.wrap(DATA_KEY, CONTEXT) for keys in all_keys))
        assert len({each.key for each in found}) == 1

    run(story())
    assert names_in(path.parent) == [".gitignore", "vault-key"]


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o602, 0o601, 0o666])
def test_a_file_that_is_open_to_others_is_refused_with_the_cure(path, mode):
    found = wrapped(path)
    path.chmod(mode)
    for use in (VaultKeyFile(path).unwrap(found, CONTEXT), VaultKeyFile(path).renew()):
        with pytest.raises(SettingError, match=f"chmod 600 {path}"):
            run(use)
    path.chmod(0o600)
    assert run(VaultKeyFile(path).unwrap(found, CONTEXT)) == DATA_KEY


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_that_others_write_into_is_refused_with_the_cure(path, mode):
    found = wrapped(path)
    path.parent.chmod(mode)
    with pytest.raises(SettingError, match="chmod go-w"):
        run(VaultKeyFile(path).unwrap(found, CONTEXT))


def test_a_link_a_pipe_and_a_folder_are_refused(path, tmp_path):
    found = wrapped(path)
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(SettingError, match="is a link"):
        run(VaultKeyFile(path).unwrap(found, CONTEXT))
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(SettingError, match="no ordinary file"):
        run(VaultKeyFile(path).unwrap(found, CONTEXT))
    path.unlink()
    path.mkdir()
    with pytest.raises(SettingError):
        run(VaultKeyFile(path).unwrap(found, CONTEXT))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(path):
    found = wrapped(path)
    os.chown(path, 65534, 65534)
    with pytest.raises(SettingError, match="belongs to somebody else"):
        run(VaultKeyFile(path).unwrap(found, CONTEXT))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"[]",
        b"\xff",
        b"[" * 1000,
        json.dumps({"v": 1, "current": "a", "keys": {"b": b64encode(bytes(32)).decode()}}).encode(),
        json.dumps({"v": 2, "current": "a", "keys": {"a": b64encode(bytes(32)).decode()}}).encode(),
        json.dumps({"v": 1, "current": "a", "keys": {"a": b64encode(bytes(16)).decode()}}).encode(),
        json.dumps({"v": 1, "current": "a", "keys": {"a": "secret in clear"}}).encode(),
        json.dumps({"v": 1, "current": "a", "keys": ["a"]}).encode(),
    ],
)
def test_a_file_with_anything_else_in_it_is_refused_left_alone_and_not_quoted(path, content):
    path.parent.mkdir(mode=0o700)
    path.touch(0o600)
    path.write_bytes(content)
    for use in (VaultKeyFile(path).wrap(DATA_KEY, CONTEXT), VaultKeyFile(path).renew()):
        with pytest.raises(SettingError, match="does not hold master keys") as caught:
            run(use)
        assert "secret in clear" not in str(caught.value)
        assert caught.value.__cause__ is None
    assert path.read_bytes() == content


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    file = tmp_path / "house" / "file"
    assert read_private(file) is None
    assert write_private(file, b"one", may_replace=False)
    assert not write_private(file, b"two", may_replace=False)
    assert read_private(file) == b"one"
    assert write_private(file, b"two", may_replace=True)
    assert read_private(file) == b"two"
    assert names_in(file.parent) == [".gitignore", "file"]


def test_no_key_shows_in_what_is_printed(path):
    keys = VaultKeyFile(path)
    run(keys.wrap(DATA_KEY, CONTEXT))
    key = json.loads(path.read_text())["keys"]
    assert not any(text in repr(vars(keys)) for text in key.values())
    assert not any(repr(b64decode(text)) in repr(vars(keys)) for text in key.values())
    assert "wrapped" not in repr(Wrapped("m", b"wrapped"))

"""The admin key and the link key: made once, private, or not made at all."""

import asyncio
import base64
import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.errors import SettingError
from chalicelib.local.keys import admin_key, fetch_link_key, kept_key, link_key


def hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_a_key_is_made_at_the_first_start_and_found_again(tmp_path):
    folder = tmp_path / "deep" / ".penstock"
    first = admin_key(folder, {})
    assert first.new is not None
    assert len(first.new) > 40
    assert first.hashes == (hashed(first.new),)
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / ".gitignore").read_text() == "*\n"
    second = admin_key(folder, {})
    assert (second.hashes, second.new, second.file) == (first.hashes, None, folder / "key")
    assert kept_key(folder) == first.new
    assert admin_key(tmp_path / "other", {}).new != first.new


def test_hashes_in_the_environment_are_used_alone(tmp_path):
    given = f"{hashed('a')}, {hashed('b')}"
    key = admin_key(tmp_path / "folder", {"PENSTOCK_ADMIN_KEY_HASH": given})
    assert (key.hashes, key.file, key.new) == ((hashed("a"), hashed("b")), None, None)
    assert not (tmp_path / "folder").exists()
    assert kept_key(tmp_path / "folder") is None


@pytest.mark.parametrize("given", ["plain", hashed(""), hashed("a").upper()])
def test_what_is_no_hash_is_refused_without_repeating_it(given, tmp_path):
    with pytest.raises(SettingError) as caught:
        admin_key(tmp_path, {"PENSTOCK_ADMIN_KEY_HASH": given})
    assert given not in caught.value.detail


def test_a_key_file_that_holds_nothing_is_refused(tmp_path):
    (tmp_path / "key").write_text("\n")
    with pytest.raises(SettingError, match="holds no key"):
        admin_key(tmp_path, {})
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError, match="holds no key"):
        admin_key(tmp_path, {})


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="cannot be kept"):
        admin_key(tmp_path / "file" / "folder", {})


# --- the link key


def test_a_link_key_is_made_once_and_is_random(tmp_path):
    folder = tmp_path / "deep" / ".penstock"
    key = link_key(folder)
    assert len(key) == 32
    assert stat.S_IMODE((folder / "link-key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert asyncio.run(fetch_link_key(folder)) == link_key(folder) == key
    assert sorted(each.name for each in folder.iterdir()) == [".gitignore", "link-key"]
    assert link_key(tmp_path / "other") != key


def test_of_many_who_make_it_at_once_all_have_the_same(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: link_key(tmp_path), range(32)))
    assert len(keys) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["link-key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_link_key_that_others_can_read_is_refused_with_the_cure(mode, tmp_path):
    key = link_key(tmp_path)
    (tmp_path / "link-key").chmod(mode)
    with pytest.raises(SettingError, match=r"can be read by others.*chmod 600") as caught:
        link_key(tmp_path)
    assert base64.b64encode(key).decode() not in str(caught.value)
    assert stat.S_IMODE((tmp_path / "link-key").stat().st_mode) == mode, "whoever read it has read it"
    (tmp_path / "link-key").chmod(0o600)
    assert link_key(tmp_path) == key


@pytest.mark.parametrize("content", [b"", b"\n", b"short", base64.b64encode(b"x" * 31), b"\xff" * 44, b"=" * 44])
def test_a_file_that_holds_no_link_key_is_refused_without_repeating_it(content, tmp_path):
    file = tmp_path / "link-key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(SettingError, match=r"holds no key\. Remove it") as caught:
        link_key(tmp_path)
    assert "short" not in str(caught.value)
    file.unlink()
    assert len(link_key(tmp_path)) == 32


def test_a_folder_that_is_a_file_is_a_named_error(tmp_path):
    (tmp_path / "folder").write_text("")
    with pytest.raises(SettingError, match="cannot be kept"):
        link_key(tmp_path / "folder")

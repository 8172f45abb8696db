"""The admin key: made once, private, or not made at all."""

import hashlib
import stat

import pytest

from chalicelib.errors import SettingError
from chalicelib.local.keys import admin_key, kept_key


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

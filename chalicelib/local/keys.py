"""The embedded server's keys: made when they are first needed, kept where only their owner can read them.

The admin key's file holds the key itself, so that the command line on the same machine works without further ado;
whoever may read it may read the store beside it too. With `PENSTOCK_ADMIN_KEY_HASH` the server knows hashes alone, and
makes no file. The link key is what resume links are made with: who can read it can answer in anybody's place.
"""

import asyncio
import base64
import binascii
import contextlib
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chalicelib.api.auth import PREFIX, AdminKeys, hashes_from, key_hash
from chalicelib.errors import SettingError

HASHES = "PENSTOCK_ADMIN_KEY_HASH"
FILE = "key"
LINK_FILE = "link-key"
LINK_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class AdminKey:
    """What the server is to know, and what its owner is to be told."""

    hashes: tuple[str, ...]
    file: Path | None = None
    """Where the key lies; None where only hashes are known."""
    new: str | None = None
    """The key, if it was made just now: shown this once."""


def admin_key(folder: Path, environment: Mapping[str, str]) -> AdminKey:
    """The key of the server that keeps its things in `folder`; SettingError where it cannot be read or is none."""
    given = hashes_from(environment.get(HASHES, ""))
    if given:
        AdminKeys(given)
        return AdminKey(tuple(given))
    file = folder / FILE
    try:
        _make_private(folder)
        known = _read_private(file)
        if known is not None:
            return AdminKey((key_hash(known),), file)
        key = PREFIX + secrets.token_urlsafe(32)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(key + "\n")
    except OSError as error:
        raise SettingError(
            f"The admin key {file} cannot be kept: {error.strerror}. Mend the folder's rights."
        ) from error
    return AdminKey((key_hash(key),), file, key)


def kept_key(folder: Path) -> str | None:
    """The key that a server on this machine keeps in `folder`; None where there is none, or it is not ours to read."""
    try:
        return (folder / FILE).read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def link_key(folder: Path) -> bytes:
    """The key of the links that the server of this folder gives out; made if there is none.

    Raises SettingError where it cannot be kept, is none, or is open to others: then somebody may know it, and whether
    the links that were given out shall go on to count is for its owner to say.
    """
    file = folder / LINK_FILE
    try:
        _make_private(folder)
        if not file.exists():
            _write_new(file, base64.b64encode(secrets.token_bytes(LINK_KEY_BYTES)).decode())
        if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise SettingError(
                f"{file} can be read by others. If nobody else has: chmod 600 {file}. Else remove it: the next start "
                "makes a new one, and the links that were given out until then no longer count."
            )
        key = base64.b64decode(file.read_bytes().strip(), validate=True)
    except OSError as error:
        raise SettingError(
            f"The link key {file} cannot be kept: {error.strerror}. Mend the folder's rights."
        ) from error
    except binascii.Error:
        key = b""
    if len(key) < LINK_KEY_BYTES:
        raise SettingError(
            f"{file} holds no key. Remove it: the next start makes a new one, and the links that were given out until "
            "then no longer count."
        )
    return key


async def fetch_link_key(folder: Path) -> bytes:
    """As `link_key`, beside the event loop."""
    return await asyncio.to_thread(link_key, folder)


def _write_new(file: Path, text: str) -> None:
    """Write a private file that is not there yet; who comes second leaves it as it is. It is there whole, or not."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(text + "\n")
            opened.flush()
            os.fsync(opened.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()


def _make_private(folder: Path) -> None:
    """The folder, closed to others and unknown to git."""
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=0o700)
        (folder / ".gitignore").write_text("*\n", encoding="ascii")


def _read_private(file: Path) -> str | None:
    """The key in the file, which is closed to others if it was not; None where there is no file."""
    if not file.exists():
        return None
    if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        file.chmod(0o600)
    key = kept_key(file.parent)
    if key is None:
        raise SettingError(f"{file} holds no key. Remove it: the next start makes a new one.")
    return key

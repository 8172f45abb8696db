"""Files that are for our eyes alone: refused where others could read or change them, written whole or not at all."""

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from chalicelib.errors import SettingError

_LONGEST: Final = 1_000_000
_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0)
"""Else a pipe that stands there would be waited for."""


def read_private(file: Path) -> bytes | None:
    """What is in the file; None where there is none. Raises SettingError where it is not private, and says the cure."""
    try:
        descriptor = os.open(file, os.O_RDONLY | _NO_LINK | _NO_WAIT)
    except FileNotFoundError:
        return None
    except OSError as error:
        if file.is_symlink():
            raise SettingError(f"{file} is a link. Put the file itself there, or name the one it leads to.") from error
        raise SettingError(f"{file} cannot be read: {error.strerror}. Mend its rights.") from error
    try:
        # Asked of what was opened, not of the name: between two looks at a name another file can take its place.
        _refuse_loose(file, os.fstat(descriptor))
        _refuse_loose_folder(file.parent)
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            content = opened.read(_LONGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > _LONGEST:
        raise SettingError(f"{file} is over {_LONGEST:,} bytes; that is not what we put there.")
    return content


def write_private(file: Path, content: bytes, *, may_replace: bool) -> bool:
    """Write the file, for us alone, durable once this returns; False where one is there and may not be replaced.

    Raises SettingError where it cannot be written.
    """
    try:
        make_private_folder(file.parent)
        draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(content)
                opened.flush()
                os.fsync(opened.fileno())
            if may_replace:
                draft.replace(file)
            else:
                try:
                    os.link(draft, file)
                except FileExistsError:
                    return False
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(file.parent)
    except OSError as error:
        raise SettingError(f"{file} cannot be written: {error.strerror}. Mend the folder's rights.") from error
    return True


def make_private_folder(folder: Path) -> None:
    """The folder, closed to others and unknown to git, if there is none."""
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=0o700)
        (folder / ".gitignore").write_text("*\n", encoding="ascii")


def _refuse_loose(file: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SettingError(f"{file} is no ordinary file. Put one there.")
    if os.name != "posix":
        return  # Windows keeps files in a user's own folders from others by other means than modes
    if status.st_uid != os.geteuid():
        raise SettingError(f"{file} belongs to somebody else. Copy it as the user who runs this, then chmod 600 it.")
    if stat.S_IMODE(status.st_mode) & _OTHERS:
        raise SettingError(
            f"{file} is open to others (mode {stat.S_IMODE(status.st_mode):o}). If nobody has read it: "
            f"chmod 600 {file}. If somebody may have, change the credentials at their services too."
        )


def _refuse_loose_folder(folder: Path) -> None:
    status = folder.stat()
    if os.name == "posix" and (status.st_uid not in {0, os.geteuid()} or stat.S_IMODE(status.st_mode) & _OTHERS_WRITE):
        raise SettingError(f"{folder} lets others put files into it. Close it: chmod go-w {folder}.")


def _sync_folder(folder: Path) -> None:
    """Make the name durable too; where a folder cannot be opened (Windows), it is by itself."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

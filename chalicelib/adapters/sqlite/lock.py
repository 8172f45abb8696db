"""One process per store: a lock on a file beside it, which the operating system releases however the process ends."""

import os
import sys
from pathlib import Path

from chalicelib.errors import SettingError

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_PID_AT = 1
"""Windows locks bytes against reading too: the first is the lock, the process id stands behind it."""


class FileLock:
    """Held from its making until `release` or the end of the process."""

    def __init__(self, store: Path) -> None:
        """Take the lock of this store; raises SettingError naming the process that holds it."""
        self._descriptor = os.open(f"{store}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _take(self._descriptor)
        except OSError as error:
            os.lseek(self._descriptor, _PID_AT, os.SEEK_SET)
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise SettingError(
                f"{store} is in use by process {holder or 'unknown'}. Stop that one, or choose another directory."
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, f" {os.getpid()}\n".encode())

    def release(self) -> None:
        """Let others in; a second time changes nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

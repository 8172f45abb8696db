"""What a helper process holds itself to. The system enforces it, whatever becomes of the code that runs there.

The limits of the system (setrlimit) and a timer are all there is: no library that is maintained and needs nothing of
the system's own sets seccomp filters or `no_new_privs` from Python.
"""

import contextlib
import signal


def limit_memory(most_bytes: int) -> None:
    """Hold this process to its address space, and let it leave no memory on disk when it is killed."""
    _limit({"RLIMIT_AS": most_bytes, "RLIMIT_CORE": 0, "RLIMIT_FSIZE": 0})  # macOS may refuse the first


def close_in() -> None:
    """From here on open nothing more: no file, no socket, no pipe; and start no process and no thread.

    Whoever runs as root is not held to the number of processes; it still has no descriptor for a pipe to one.
    """
    _limit({"RLIMIT_NOFILE": 0, "RLIMIT_NPROC": 0})


def _limit(limits: dict[str, int]) -> None:
    try:
        import resource  # there is none on Windows
    except ImportError:
        return
    for name, value in limits.items():
        if hasattr(resource, name):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(getattr(resource, name), (value, value))


def arm(seconds: float) -> None:
    """End this process after so much processor time from now; 0: not any more.

    Where there is no such timer, the server's patience is all that ends it.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)

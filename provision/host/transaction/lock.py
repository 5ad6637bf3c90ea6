"""One run at a time on a host: an flock that ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import Exit, fail
from ..files import Files, needs_root

LOCK = "/run/provision.lock"


@contextmanager
def hold(files: Files) -> Iterator[None]:
    """Hold the host; ProvisionError with Exit.LOCKED names the process that does already."""
    descriptor = _take(files)
    try:
        yield
    finally:
        os.close(descriptor)


def forget_lock(files: Files) -> None:
    """Take the lock's file away while holding it; who waits for the old one notices."""
    files.at(LOCK).unlink(missing_ok=True)


def holder_in(locks: str, inode: int) -> int | None:
    """The process that holds an flock on a file, from /proc/locks (proc_locks(5))."""
    found = re.search(rf"FLOCK\s+ADVISORY\s+WRITE (\d+) \S+:{inode} ", locks)
    return int(found[1]) if found else None


def _holder(inode: int) -> str:
    # Told by the kernel, not by the file: a run that changes nothing writes nothing.
    try:
        pid = holder_in(Path("/proc/locks").read_text(), inode)
    except OSError:
        pid = None
    return str(pid) if pid else "unknown"


def _take(files: Files) -> int:
    path = files.at(LOCK)
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except PermissionError:
            raise needs_root(f"{LOCK} may not be written by this user") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            inode = os.fstat(descriptor).st_ino
            os.close(descriptor)
            raise fail(
                "locked",
                f"another run of provision (pid {_holder(inode)}) is at work on this host",
                "wait for it to end, then try again",
                exit_code=Exit.LOCKED,
            ) from None
        # `remove` takes the file away at its end: a lock on a file without a name holds nothing.
        try:
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)

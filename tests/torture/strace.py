"""strace(1) on a process: which of its calls change something, and its death at one of them.

strace counts the calls of one name from where it is put on. It sends SIGKILL when the call is
entered, so that it is not done any more: to be killed behind a change is to be killed before the
next one. Nothing of it is in the product.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STRACE = shutil.which("strace", path="/usr/bin:/bin:/usr/local/bin")
# Not every machine has each of them: `?` lets strace pass over a name that it does not know.
CHANGING = (
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir"),
    *("symlink", "symlinkat", "link", "linkat", "fsync", "fdatasync", "sync_file_range"),
    *("write", "writev", "pwrite64", "sendfile", "copy_file_range", "ftruncate", "truncate"),
    *("fallocate", "fchmod", "fchmodat", "chmod", "fchown", "fchownat", "chown", "lchown"),
    *("utimensat", "setxattr", "fsetxattr", "flock", "openat", "open", "creat"),
)
_LINE = re.compile(r"(?P<call>[a-z_0-9]+)\((?P<rest>.*)")
_SECONDS = 30


@dataclass(frozen=True)
class Point:
    """The number-th call of this name, and what it does."""

    call: str
    number: int
    what: str = ""

    def __str__(self) -> str:
        return f"{self.call}:when={self.number} {self.what}"


@contextmanager
def watching(pid: int, log: Path) -> Iterator[None]:
    """All calls that may change something go into the log, with the paths of descriptors."""
    wanted = ",".join(f"?{name}" for name in CHANGING)
    with _attached(pid, "-y", "-s", "0", "-o", str(log), "-e", f"trace={wanted}"):
        yield


@contextmanager
def killing(pid: int, point: Point, log: Path) -> Iterator[None]:
    """The process dies when it enters this call."""
    # Without --seccomp-bpf: with it strace 6.1 sends no signal, and does not say so.
    inject = f"inject={point.call}:signal=KILL:when={point.number}"
    with _attached(pid, "-o", str(log), "-e", f"trace={point.call}", "-e", inject):
        yield


def changing_points(log: str, folder: Path) -> tuple[Point, ...]:
    """Calls that changed something below a folder, in the order in which they were made."""
    return tuple(
        Point(call, number, text.replace(str(folder), "")[:150])
        for call, number, text in _calls(log)
        if f"{folder}/" in text and " = -1 " not in text and _changes(call, text)
    )


@contextmanager
def _attached(pid: int, *options: str) -> Iterator[None]:
    """strace on a process until that has ended; what is inside runs once it is on."""
    assert STRACE, "strace is not installed"
    tracer = subprocess.Popen(
        [STRACE, "-qq", *options, "-p", str(pid)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + _SECONDS
    try:
        while f"TracerPid:\t{tracer.pid}\n" not in Path(f"/proc/{pid}/status").read_text():
            assert tracer.poll() is None, f"strace: {tracer.communicate()[1]}"
            assert time.monotonic() < deadline, "strace did not take the process"
            time.sleep(0.001)
        yield
        tracer.communicate(timeout=_SECONDS)
    finally:
        if tracer.poll() is None:
            tracer.kill()
            tracer.communicate()


def _calls(log: str) -> Iterator[tuple[str, int, str]]:
    """Name, number among those of its name, and text of each call."""
    seen: Counter[str] = Counter()
    for line in log.splitlines():
        found = _LINE.match(line)
        if found:
            seen[found["call"]] += 1
            yield found["call"], seen[found["call"]], found["rest"]


def _changes(call: str, text: str) -> bool:
    return call not in ("open", "openat") or "O_CREAT" in text or "O_TRUNC" in text

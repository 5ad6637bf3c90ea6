"""The one door to programs: argument list, clean environment, time limit, nothing on stdin."""

from __future__ import annotations

import os
import shlex
import signal
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import ProvisionError, fail

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CLEAN = {"PATH": _PATH, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": "/root", "TERM": "dumb"}


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended. code is negative for a signal, 127 when it was not found."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def said(self) -> str:
        """What it printed about itself, both streams, trimmed."""
        return "\n".join(part for part in (self.out.strip(), self.err.strip()) if part)


def which(program: str) -> str | None:
    """The program's path on the clean PATH, whatever PATH the caller has."""
    for folder in _PATH.split(":"):
        path = f"{folder}/{program}"
        try:
            status = os.stat(path)  # noqa: PTH116 -- this module is loaded by every command
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(status.st_mode) and os.access(path, os.X_OK):
            return path
    return None


def run(
    argv: Sequence[str],
    *,
    timeout: float = 30,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
) -> Ran:
    """Run a program to its end and say how it went; never raises for a bad exit.

    A missing program is code 127, one that cannot be started 126, one past its time limit 124 (it
    is killed with its children).
    """
    import subprocess  # with all that it needs; a recorded machine is inspected without it

    words = tuple(argv)
    if os.environ.get("PROVISION_TRACE"):
        print(f"+ {shlex.join(words)}", file=sys.stderr)
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**_CLEAN, **(env or {})},
            cwd="/",
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        return Ran(words, 127, "", f"{words[0]}: {error.strerror}")
    except OSError as error:  # not a program for this machine, no memory
        return Ran(words, 126, "", f"{words[0]}: {error.strerror}")
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        _kill_group(process.pid)
        out, err = process.communicate()
        return Ran(words, 124, out, f"{err}\n{words[0]}: no end within {timeout:g} s")
    return Ran(words, process.returncode, out, err)


def must(argv: Sequence[str], *, timeout: float = 30, stdin: str = "") -> Ran:
    """Run a program that has to succeed; ProvisionError `program-failed` with its own words."""
    ran = run(argv, timeout=timeout, stdin=stdin)
    if not ran.ok:
        raise failed(ran)
    return ran


def failed(ran: Ran) -> ProvisionError:
    """The error that tells how a program ended."""
    said = ran.said or "no output"
    return fail("program-failed", f"{shlex.join(ran.argv)}: exit code {ran.code}: {said}")


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return

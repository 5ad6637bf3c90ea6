"""stdout, stderr and stdin as they come from any caller: closed, not UTF-8, not a terminal."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


def prepare() -> None:
    """Make every standard stream usable, so that no command has to ask whether it is there.

    A closed one is replaced by /dev/null, in this order, since open() takes the lowest free number:
    else a file written later would get number 1 and every print would go into it. What a locale
    cannot write is written escaped instead of ending the run.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115,PTH123 -- stays open as long as the process
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115,PTH123
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115,PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_output() -> None:
    """After a broken pipe: let the flush at exit write into nothing instead of complaining."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def interactive() -> bool:
    """Whether somebody sits there to be asked."""
    return bool(sys.stdin.isatty() and sys.stderr.isatty())


def coloured(stream: TextIO) -> bool:
    """Whether to write colours: on a terminal, or with FORCE_COLOR; never with NO_COLOR.

    Both variables count when they are not empty (no-color.org, force-color.org).
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def speaks_unicode(stream: TextIO) -> bool:
    """Whether signs such as a check mark can be written there."""
    return (stream.encoding or "").lower().replace("-", "") == "utf8"

"""The NVIDIA driver asked through NVML, by a child process with a time limit.

In a broken driver nvmlInit may never return (the process waits in the kernel and cannot even be
killed), and its library may crash. Neither must end an inspection: a forked child asks and writes
its answers into a pipe. So the library never enters this process, and a child that hangs is left.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from typing import NoReturn

from ....document import loads, to_plain
from ....errors import ProvisionError
from ..answers import NvmlAnswers

_LIMIT = 60.0  # seconds; 8 GPUs without persistence take about 20 to wake up
_LAST_WORDS = 1.0  # seconds that a child has for its end, once it has answered or was killed


def ask_nvml(limit: float = _LIMIT) -> NvmlAnswers:
    """Ask the driver everything; the reason in `problem` when it cannot be asked at all.

    limit: seconds for the whole sitting.
    """
    try:
        reading, writing = os.pipe()
    except OSError as error:
        return NvmlAnswers(problem=f"no pipe to ask the driver through: {error.strerror}")
    try:
        child = os.fork()
    except OSError as error:
        os.close(reading)
        os.close(writing)
        return NvmlAnswers(problem=f"no process to ask the driver with: {error.strerror}")
    if child == 0:
        os.close(reading)
        _ask_and_exit(writing)
    os.close(writing)
    text: bytes | None = None
    try:
        text = _read(reading, time.monotonic() + limit)
    finally:
        os.close(reading)
        if text is None:  # out of time, or this process was interrupted
            os.kill(child, signal.SIGKILL)
        status = _reap(child, time.monotonic() + _LAST_WORDS)
    if text is None:
        return NvmlAnswers(problem=f"the driver did not answer within {limit:g} s")
    return read_document(text, status)


def read_document(text: bytes, status: int | None) -> NvmlAnswers:
    """The child's answers; what became of it where there are none. status is waitpid's."""
    if not text:
        return NvmlAnswers(problem=ending(status))
    try:
        return loads(NvmlAnswers, text, "the driver's answers")
    except ProvisionError as error:  # a crash in the midst of writing
        return NvmlAnswers(problem=f"{ending(status)} ({error.diagnostics[0].message})")


def ending(status: int | None) -> str:
    """How a child without an answer ended, as a sentence."""
    if status is not None and os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"the driver's library crashed: {signal.strsignal(number) or f'signal {number}'}"
    return "the driver's library ended the process that asked it"


def _ask_and_exit(writing: int) -> NoReturn:
    """The child's whole life. It never returns into its parent's program, whatever happens."""
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)  # the parent's handlers are not for the child
        os.dup2(2, 1)  # the parent's stdout is its result; a library may print what it likes
        from .sitting import sit

        _write(writing, sit())
        code = 0
    finally:
        fault = sys.exc_info()[1]
        if fault is not None:
            _write(writing, NvmlAnswers(problem=f"asking the driver failed: {fault!r}"))
        # No nvmlShutdown: it may hang too, and the kernel closes everything anyway.
        os._exit(code)


def _write(writing: int, answers: NvmlAnswers) -> None:
    """The answers as a document, and the end of the pipe, for the exit may hang in the driver."""
    text = json.dumps(to_plain(answers)).encode()
    with open(writing, "wb") as pipe:
        pipe.write(text)


def _read(reading: int, deadline: float) -> bytes | None:
    """All that comes through the pipe until its other end is closed; None: not in time."""
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    parts: list[bytes] = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return None
        part = os.read(reading, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _reap(child: int, deadline: float) -> int | None:
    """How the child ended; None: it has not, or somebody else has waited for it.

    A process that waits uninterruptibly in the driver (state D) cannot be killed; it is left.
    """
    pause = 0.0005
    while True:
        try:
            ended, status = os.waitpid(child, os.WNOHANG)
        except ChildProcessError:  # SIGCHLD is ignored here
            return None
        if ended:
            return status
        if time.monotonic() >= deadline:
            return None
        time.sleep(pause)
        pause = min(pause * 2, 0.05)

"""Signals in the middle of a transaction: a lost ssh session must not leave half of it behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)  # systemctl stop, kill; the terminal went away


@contextmanager
def as_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP act as Ctrl-C does: the run ends and is undone.

    A signal that is ignored already stays so: that is what nohup asks for.
    """
    heeded = tuple(one for one in _ENDING if signal.getsignal(one) is not signal.SIG_IGN)
    with _handled(heeded, _interrupt):
        yield


@contextmanager
def held_off() -> Iterator[None]:
    """No signal but SIGKILL stops the way back once it has begun."""
    with _handled((*_ENDING, signal.SIGINT), signal.SIG_IGN):
        yield


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


@contextmanager
def _handled(numbers: tuple[signal.Signals, ...], action: signal._HANDLER) -> Iterator[None]:
    # Python lets only the main thread set handlers; elsewhere the host of the thread decides.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, action) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)

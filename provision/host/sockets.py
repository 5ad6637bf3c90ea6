"""Who listens on this host, and what stands in the way of an address."""

from __future__ import annotations

from .facts import Listener
from .inspect.running.listeners import read_listeners
from .inspect.running.processes import unit_of
from .inspect.source import LiveSource

_ANY = ("0.0.0.0", "::")


def listeners() -> tuple[Listener, ...]:
    """The live host's listening sockets with the process and unit that holds each."""
    return read_listeners(LiveSource())


def unit_of_pid(pid: int) -> str | None:
    """The system unit that a process belongs to; None when it is in none or gone."""
    return unit_of(LiveSource(), pid)


def split_listen(text: str) -> tuple[str, int]:
    """`127.0.0.1:8080`, `[::]:443` or `8080` -> address, port. Raises ValueError."""
    address, colon, port = text.rpartition(":")
    return (address.strip("[]") if colon else "0.0.0.0"), int(port)


def clashes(address: str, listener: Listener) -> bool:
    """Whether a listener stands in the way of an address on the same port."""
    return listener.address == address or listener.address in _ANY or address in _ANY

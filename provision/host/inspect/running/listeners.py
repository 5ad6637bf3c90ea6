"""Who listens on which TCP port: /proc/net/tcp and tcp6, joined with the processes' sockets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ...facts import Listener
from ..source import Source
from ..tree import Tree
from .processes import process_name, unit_of

_LISTEN = "0A"  # TCP_LISTEN, include/net/tcp_states.h
_MOST_FILES = 4096  # of one process: a listener is opened before the many connections it takes
_MOST_PROCESSES = 20000


@dataclass(frozen=True, slots=True)
class Socket:
    """A listening socket and its inode."""

    address: str
    port: int
    inode: int


def read_listeners(source: Source) -> tuple[Listener, ...]:
    """The listening sockets by port and address; without root others' processes are not told."""
    order = source.byteorder()
    sockets = [
        socket
        for name in ("tcp", "tcp6")
        for socket in parse_sockets(source.text(f"/proc/net/{name}") or "", order)
    ]
    holders = _holders(source, {socket.inode for socket in sockets if socket.inode})
    owners = {
        pid: (process_name(source, pid), unit_of(source, pid)) for pid in set(holders.values())
    }
    found = {(socket.port, socket.address, holders.get(socket.inode)) for socket in sockets}
    listeners: list[Listener] = []
    for port, address, pid in sorted(found, key=lambda one: (one[0], one[1], one[2] or 0)):
        program, unit = owners[pid] if pid is not None else (None, None)
        listeners.append(Listener(address, port, pid, program, unit))
    return tuple(listeners)


def parse_sockets(text: str, order: Literal["little", "big"] = "little") -> tuple[Socket, ...]:
    """The listening sockets of a /proc/net/tcp or tcp6 (Documentation/networking/proc_net_tcp)."""
    sockets: list[Socket] = []
    for line in text.splitlines():
        if f" {_LISTEN} " not in line:
            continue  # cheap: a busy server has tens of thousands of connections
        words = line.split()
        if len(words) < 10 or words[3] != _LISTEN or not re.fullmatch(r"[0-9]{1,20}", words[9]):
            continue
        match = re.fullmatch(r"([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})", words[1])
        if match:
            address = parse_address(match[1], order)
            sockets.append(Socket(address, int(match[2], 16), int(words[9])))
    return tuple(sockets)


def parse_address(text: str, order: Literal["little", "big"] = "little") -> str:
    """The kernel's hexadecimal address: words of 32 bits in the machine's own byte order.

    IPv6 is written as RFC 5952 has it; an IPv4 address within it (::ffff:127.0.0.1) as IPv4.
    """
    words = [text[at : at + 8] for at in range(0, len(text), 8)]
    packed = b"".join(int(word, 16).to_bytes(4, order) for word in words)
    mapped = b"\0" * 10 + b"\xff\xff"
    if len(packed) == 4 or packed[:12] == mapped:
        return ".".join(str(byte) for byte in packed[-4:])
    groups = [f"{packed[at] << 8 | packed[at + 1]:x}" for at in range(0, 16, 2)]
    return _without_zeros(groups)


def _without_zeros(groups: list[str]) -> str:
    """The eight groups with the first longest run of two zeros or more as `::`."""
    best, length = 0, 1
    for start in range(8):
        end = start
        while end < 8 and groups[end] == "0":
            end += 1
        if end - start > length:
            best, length = start, end - start
    if length < 2:
        return ":".join(groups)
    return f"{':'.join(groups[:best])}::{':'.join(groups[best + length :])}"


def _holders(tree: Tree, inodes: set[int]) -> dict[int, int]:
    """The process that holds each socket: the lowest PID, but init only when nobody else does.

    init keeps the sockets of units that are started on demand; nginx's workers share the master's.
    The walk ends as soon as every socket has its process.
    """
    if not inodes:
        return {}
    holders: dict[int, int] = {}
    missing = set(inodes)
    for pid in _processes(tree):
        for inode in _socket_inodes(tree, pid):
            if inode in missing:
                missing.discard(inode)
                holders[inode] = pid
        if not missing:
            break
    return holders


def _processes(tree: Tree) -> Iterable[int]:
    """The processes that may hold a socket, by PID, init last; threads of the kernel hold none.

    A machine of 256 CPUs has thousands of those. They are the children of kthreadd, which the
    kernel lists in one file (CONFIG_PROC_CHILDREN); in a container PID 2 is something else.
    """
    pids = {int(name) for name in tree.names("/proc") if re.fullmatch(r"[0-9]{1,10}", name)}
    if tree.text("/proc/2/comm") == "kthreadd":
        children = (tree.text("/proc/2/task/2/children") or "").split()
        pids -= {int(name) for name in children if re.fullmatch(r"[0-9]{1,10}", name)}
        pids.discard(2)
    ordered = sorted(pids - {1})[:_MOST_PROCESSES]
    return [*ordered, *(pid for pid in (1,) if pid in pids)]


def _socket_inodes(tree: Tree, pid: int) -> Iterator[int]:
    folder = f"/proc/{pid}/fd"
    names = [name for name in tree.names(folder) if name.isdecimal()]
    if len(names) > _MOST_FILES:
        names = sorted(names, key=lambda name: (len(name), name))[:_MOST_FILES]
    for name in names:
        target = tree.link(f"{folder}/{name}") or ""
        if target.startswith("socket:["):
            match = re.fullmatch(r"socket:\[([0-9]{1,20})\]", target)
            if match:
                yield int(match[1])

"""Who listens on which TCP port: /proc/net/tcp and tcp6, joined with the processes' sockets."""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from ..facts import Listener
from .processes import process_name, unit_of
from .tree import Tree

_LISTEN = "0A"  # TCP_LISTEN, include/net/tcp_states.h


@dataclass(frozen=True, slots=True)
class Socket:
    """A listening socket and its inode."""

    address: str
    port: int
    inode: int


def read_listeners(tree: Tree) -> tuple[Listener, ...]:
    """The listening sockets by port and address; without root others' processes are not told."""
    sockets = [
        socket
        for name in ("tcp", "tcp6")
        for socket in parse_sockets(tree.text(f"/proc/net/{name}") or "")
    ]
    holders = _holders(tree, {socket.inode for socket in sockets}) if sockets else {}
    found: set[tuple[int, str, int | None]] = set()
    for socket in sockets:
        found.add((socket.port, socket.address, holders.get(socket.inode)))
    return tuple(
        Listener(
            address=address,
            port=port,
            pid=pid,
            program=process_name(tree, pid) if pid is not None else None,
            unit=unit_of(tree, pid) if pid is not None else None,
        )
        for port, address, pid in sorted(found, key=lambda one: (one[0], one[1], one[2] or 0))
    )


def parse_sockets(text: str) -> tuple[Socket, ...]:
    """The listening sockets of a /proc/net/tcp or tcp6 (Documentation/networking/proc_net_tcp)."""
    sockets: list[Socket] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 10 or words[3] != _LISTEN or not words[9].isdecimal():
            continue
        match = re.fullmatch(r"([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})", words[1])
        if match:
            sockets.append(Socket(parse_address(match[1]), int(match[2], 16), int(words[9])))
    return tuple(sockets)


def parse_address(text: str) -> str:
    """The kernel's hexadecimal address: words of 32 bits in the machine's own byte order.

    An IPv4 address within IPv6 (::ffff:127.0.0.1) is given as IPv4.
    """
    words = [text[at : at + 8] for at in range(0, len(text), 8)]
    packed = b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words)
    address = ipaddress.ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _holders(tree: Tree, inodes: set[int]) -> dict[int, int]:
    """The process that holds each socket: the lowest PID, but init only when nobody else does.

    init keeps the sockets of units that are started on demand; nginx's workers share the master's.
    """
    holders: dict[int, int] = {}
    pids = sorted(int(name) for name in tree.names("/proc") if name.isdecimal())
    for pid in [*(pid for pid in pids if pid != 1), *(pid for pid in pids if pid == 1)]:
        for inode in _socket_inodes(tree, pid):
            if inode in inodes:
                holders.setdefault(inode, pid)
    return holders


def _socket_inodes(tree: Tree, pid: int) -> Iterable[int]:
    folder = f"/proc/{pid}/fd"
    for name in tree.names(folder):
        match = re.fullmatch(r"socket:\[(\d+)\]", tree.link(f"{folder}/{name}") or "")
        if match:
            yield int(match[1])

"""TCP connections of this host: which are requests that nginx or somebody else still has open.

After take_out every connection of nginx to an instance is a request in flight: the new workers
have never asked it, and a worker that leaves closes its kept connections at once and keeps none
afterwards (ngx_close_idle_connections and ngx_http_upstream_free_keepalive_peer, nginx 1.22).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..run import run
from .door import PROC

_ESTABLISHED, _SYN_SENT, _LISTEN = "01", "02", "0A"  # include/net/tcp_states.h
_QUIET_MS = 5000  # a stream that has sent nothing for so long has ended


@dataclass(frozen=True, slots=True)
class Connection:
    """One socket. The ports are all that is asked of it, whatever the address."""

    state: str
    local_port: int
    remote_port: int
    inode: int


@dataclass(frozen=True, slots=True)
class Peer:
    """One connection as the side that listens sees it: ms since it last sent and received."""

    port: int  # of the other end
    sent_ms: int
    received_ms: int
    answered: bool  # it has sent anything at all
    asked: bool  # it has received anything at all

    @property
    def busy(self) -> bool:
        """Whether a request is being worked on: asked and not answered, or bytes still flow.

        A stream is believed to be over when nothing was sent for five seconds.
        """
        if not self.asked:
            return False
        return not self.answered or self.received_ms < self.sent_ms or self.sent_ms < _QUIET_MS


def connections() -> tuple[Connection, ...]:
    """All TCP sockets of this host's network, IPv4 and IPv6."""
    found: list[Connection] = []
    for name in ("tcp", "tcp6"):
        try:
            found += parse_connections((PROC / "net" / name).read_text())
        except OSError:  # no IPv6 here
            continue
    return tuple(found)


def parse_connections(text: str) -> list[Connection]:
    """The lines of /proc/net/tcp or tcp6 (Documentation/networking/proc_net_tcp.rst)."""
    found: list[Connection] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 10 or not re.fullmatch(r"\d+:", words[0]):
            continue
        local, remote = (int(word.rpartition(":")[2], 16) for word in words[1:3])
        found.append(Connection(words[3], local, remote, int(words[9])))
    return found


def sockets_of(pid: int) -> set[int]:
    """Inodes of the sockets that a process has open; none when it is gone."""
    found: set[int] = set()
    folder = PROC / str(pid) / "fd"
    try:
        names = os.listdir(folder)  # noqa: PTH208 -- thousands of entries, no paths needed
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return found
    for name in names:
        try:
            target = os.readlink(f"{folder}/{name}")  # noqa: PTH115 -- as above
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if target.startswith("socket:["):
            found.add(int(target[8:-1]))
    return found


def going_to(port: int, seen: Iterable[Connection], owned: set[int]) -> list[Connection]:
    """Connections to a port whose near end is one of these sockets."""
    return [
        one
        for one in seen
        if one.remote_port == port and one.inode in owned and one.state in (_ESTABLISHED, _SYN_SENT)
    ]


def unsent(seen: Iterable[Connection], owned: set[int]) -> int:
    """How many clients of one worker are connected beyond the requests that it has passed on.

    Those are requests that it is still reading; it may pass them to any instance it knows.
    """
    every = tuple(seen)
    listening = {one.local_port for one in every if one.state == _LISTEN}
    own = [one for one in every if one.inode in owned]
    clients = sum(one.state == _ESTABLISHED and one.local_port in listening for one in own)
    passed_on = sum(
        one.state in (_ESTABLISHED, _SYN_SENT) and one.local_port not in listening for one in own
    )
    return max(0, clients - passed_on)


def peers(port: int) -> tuple[Peer, ...] | None:
    """Who is connected to a listening port of this host; None where ss(8) cannot tell."""
    ran = run(["ss", "-tinH", "state", "established", "sport", "=", f":{port}"])
    return parse_peers(ran.out) if ran.ok else None


def parse_peers(text: str) -> tuple[Peer, ...]:
    """Read `ss -tinH`: a line of addresses, then an indented one of counters; 0 is left out."""
    found: list[Peer] = []
    port: int | None = None
    for line in text.splitlines():
        if not line[:1].isspace():
            words = line.split()
            end = words[-1].rpartition(":")[2] if words else ""
            port = int(end) if end.isdecimal() else None
        elif port is not None:
            pairs = (word.partition(":") for word in line.split())
            told = {key: int(value) for key, _, value in pairs if value.isdecimal()}
            found.append(
                Peer(
                    port,
                    told.get("lastsnd", 0),
                    told.get("lastrcv", 0),
                    told.get("bytes_sent", told.get("bytes_acked", 0)) > 0,
                    told.get("bytes_received", 0) > 0,
                )
            )
            port = None
    return tuple(found)

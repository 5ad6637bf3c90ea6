"""Ports on loopback: explicit ones, today's, else the first free one from the engine's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from provision.engines.engine import Engine
from provision.host.facts import Facts, Listener, Placed

from ..complaints import Complaints
from ..machine.vendors import VENDOR_UNITS, holder_text, is_own, own_instance

_INTERNAL_FIRST = 20000
_INTERNAL_BLOCK = 16  # torch, ZMQ and NCCL ports of one vLLM instance, searched upward from a base
_INTERNAL_LAST = 32000
_UNPRIVILEGED = 1024  # instances run as users that may not bind lower ports
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class PortWish:
    """An instance that needs a port. explicit: the first replica's, from the spec."""

    name: str
    group: str
    number: int
    engine: Engine
    explicit: int | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    """port serves the API on loopback; internal are vLLM's own. reason: why not the usual one."""

    port: int
    internal: tuple[int, ...] = ()
    reason: str | None = None


@dataclass(slots=True)
class _Board:
    """What is taken so far, and by whom. ours_gone: held by instances that are going away."""

    facts: Facts
    complaints: Complaints
    wanted: frozenset[str]
    freed: tuple[str, ...]
    taken: dict[int, str] = field(default_factory=dict)

    def listener(self, port: int, loopback: bool = True) -> Listener | None:
        """Somebody else's listener on a port, in the way of one on 127.0.0.1 (or of any)."""
        for one in self.facts.volatile.listeners:
            if one.port == port and not self._yields(one) and (not loopback or _meets(one.address)):
                return one
        return None

    def _yields(self, listener: Listener) -> bool:
        return is_own(listener.unit) or listener.unit in self.freed

    def leaving(self, port: int) -> bool:
        """Held by an instance of ours that this plan no longer has: free only after it stops."""
        return any(
            one.port == port
            and is_own(one.unit)
            and own_instance(one.unit or "") not in self.wanted
            for one in self.facts.volatile.listeners
        )

    def ephemeral(self, port: int) -> bool:
        span = self.facts.stable.system.ephemeral_ports
        return len(span) == 2 and span[0] <= port <= span[1]


def _meets(address: str) -> bool:
    """Whether a listener on this address keeps 127.0.0.1 from being bound on the same port."""
    return address in ("127.0.0.1", "0.0.0.0", "::", "*", "::ffff:127.0.0.1", "")


def give_ports(
    wishes: Sequence[PortWish],
    proxy_ports: Iterable[int],
    facts: Facts,
    freed: tuple[str, ...],
    complaints: Complaints,
) -> dict[str, Ports]:
    """A port for each instance; errors where an explicit one cannot be had.

    freed: vendors' units that are taken over, whose ports are free by then.
    """
    wanted = frozenset(wish.name for wish in wishes)
    board = _Board(facts, complaints, wanted, freed)
    board.taken.update(dict.fromkeys(proxy_ports, "the proxy"))
    chosen: dict[str, Ports] = {}
    for wish in wishes:
        if wish.explicit is not None and wish.number == 0:
            chosen[wish.name] = Ports(_explicit(wish, wish.explicit, board))
    today = {one.instance: one for one in facts.volatile.placed}
    for wish in wishes:
        if wish.name not in chosen:
            kept = _kept(wish, today.get(wish.name), board)
            if kept is not None:
                chosen[wish.name] = Ports(kept)
    for wish in wishes:
        if wish.name not in chosen:
            chosen[wish.name] = _next_free(wish, board)
    return _with_internal(wishes, chosen, today, board)


def _explicit(wish: PortWish, port: int, board: _Board) -> int:
    path = ("instances", wish.group, "port")
    if port in board.taken:
        board.complaints.error(
            "port-twice",
            f"{wish.group}: port {port} is also that of {board.taken[port]}",
            *path,
            hint="give each a port of its own, or leave port out",
        )
    elif port < _UNPRIVILEGED:
        board.complaints.error(
            "port-privileged",
            f"{wish.group}: port is {port}, instances may use {_UNPRIVILEGED}-{_LAST_PORT}",
            *path,
            hint="the proxy may listen on a low port: proxy.listen",
        )
    listener = board.listener(port)
    if listener is not None:
        vendor = listener.unit in VENDOR_UNITS
        board.complaints.error(
            "port-taken",
            f"{wish.group}: port {port} is held by {holder_text(listener)}",
            *path,
            hint=f"takeover: true stops and disables {listener.unit}; or leave port out"
            if vendor
            else f"stop it, or leave port out and get the next free one from "
            f"{wish.engine.default_port}",
        )
    if board.ephemeral(port):
        first, last = board.facts.stable.system.ephemeral_ports
        board.complaints.warning(
            "port-ephemeral",
            f"{wish.group}: port {port} lies in {first}-{last}, from which the kernel gives ports "
            "to outgoing connections: it may be taken at a restart",
            *path,
            hint=f"use one below {first}",
        )
    board.taken.setdefault(port, wish.name)
    return port


def _kept(wish: PortWish, placed: Placed | None, board: _Board) -> int | None:
    """Today's port of the same instance with the same engine, while nobody else claims it."""
    if placed is None or placed.port is None or placed.engine != wish.engine.name:
        return None
    if wish.explicit is not None and placed.port < wish.explicit:
        return None
    port = placed.port
    if port in board.taken or board.listener(port) is not None:
        return None
    board.taken[port] = wish.name
    return port


def _next_free(wish: PortWish, board: _Board) -> Ports:
    first = wish.explicit if wish.explicit is not None else wish.engine.default_port
    skipped: list[str] = []
    for port in range(first, _LAST_PORT + 1):
        why = _unfree(port, board)
        if why is None:
            board.taken[port] = wish.name
            reason = f"port {port}: {'; '.join(skipped[:3])}" if skipped else None
            return Ports(port, reason=reason)
        if why:
            skipped.append(f"{port} is {why}")
    board.complaints.error(
        "no-port",
        f"{wish.group}: no free port from {first} to {_LAST_PORT}",
        *("instances", wish.group, "port"),
    )
    return Ports(first)


def _unfree(port: int, board: _Board) -> str | None:
    """Why a port is not taken by default, "" when that needs no explanation, None when free."""
    if port in board.taken:
        holder = board.taken[port]
        return "the proxy's" if holder == "the proxy" else f"{holder}'s"
    listener = board.listener(port, loopback=False)
    if listener is not None:
        return f"held by {holder_text(listener)}"
    if board.leaving(port):
        return "still held by an instance that goes away"
    return "" if board.ephemeral(port) else None


def _with_internal(
    wishes: Sequence[PortWish],
    chosen: dict[str, Ports],
    today: dict[str, Placed],
    board: _Board,
) -> dict[str, Ports]:
    """Blocks for vLLM's internal ports; today's stay, the others follow from 20000."""
    needing = [wish for wish in wishes if wish.engine.name == "vllm"]
    blocks: dict[str, tuple[int, ...]] = {}
    for wish in needing:
        placed = today.get(wish.name)
        block = tuple(p for p in placed.ports if p != placed.port) if placed else ()
        if len(block) == _INTERNAL_BLOCK and not any(port in board.taken for port in block):
            blocks[wish.name] = block
            board.taken.update(dict.fromkeys(block, wish.name))
    for wish in needing:
        if wish.name not in blocks:
            blocks[wish.name] = _free_block(wish, board)
    return {
        name: Ports(ports.port, blocks.get(name, ()), ports.reason)
        for name, ports in chosen.items()
    }


def _free_block(wish: PortWish, board: _Board) -> tuple[int, ...]:
    for first in range(_INTERNAL_FIRST, _INTERNAL_LAST, _INTERNAL_BLOCK):
        block = tuple(range(first, first + _INTERNAL_BLOCK))
        free = all(
            port not in board.taken
            and board.listener(port, loopback=False) is None
            and not board.leaving(port)
            and not board.ephemeral(port)
            for port in block
        )
        if free:
            board.taken.update(dict.fromkeys(block, wish.name))
            return block
    board.complaints.error(
        "no-port",
        f"{wish.group}: no {_INTERNAL_BLOCK} free ports in a row from {_INTERNAL_FIRST} to "
        f"{_INTERNAL_LAST} for vLLM's internal use",
        *("instances", wish.group),
    )
    return ()

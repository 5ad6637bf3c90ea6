"""TCP ports that are taken, or may be at the wrong moment."""

from __future__ import annotations

from collections.abc import Iterator

from ...facts import Finding, Listener
from .case import Case
from .names import verb
from .severity import error, note, warning


def port_findings(case: Case) -> Iterator[Finding]:
    yield from _ports(case)
    yield from _ephemeral(case)


def _ports(case: Case) -> Iterator[Finding]:
    """Ports of the spec, and of our instances, that somebody else listens on."""
    ours = {one.unit for one in case.volatile.placed} | {"nginx.service"}
    kept = {
        port: one.unit for one in case.volatile.placed for port in (one.port, *one.ports) if port
    }
    wanted = {*case.request.ports, *kept}
    taken: dict[tuple[int, str, bool], None] = {}
    for listener in case.volatile.listeners:
        if listener.port not in wanted:
            continue
        owner = kept.get(listener.port)
        if listener.unit in ours and (owner is None or listener.unit == owner):
            continue
        known = listener.pid is not None
        if not known and case.volatile.placed:
            continue  # without root the holder is not told: it may well be our own
        taken[(listener.port, _holder(listener), known)] = None
    for port, holder, known in taken:
        tell = error if known else warning
        yield tell(
            "port-clash",
            f"port {port} is listened on by {holder}",
            "the instance or nginx that is to have it cannot start, or two servers share it and"
            " requests go to either",
            "stop the other program or choose another port"
            if known
            else f"ss -ltnp 'sport = :{port}' as root tells who; stop it or choose another port",
            (str(port),),
        )


def _holder(listener: Listener) -> str:
    if listener.pid is None:
        return f"another program (address {listener.address})"
    unit = f" of {listener.unit}" if listener.unit else ""
    return f"{listener.program or 'process'} (PID {listener.pid}){unit}"


def _ephemeral(case: Case) -> Iterator[Finding]:
    """Ports that the kernel gives to outgoing connections too."""
    if len(case.stable.system.ephemeral_ports) != 2:
        return
    first, last = case.stable.system.ephemeral_ports
    kept = {port for one in case.volatile.placed for port in (one.port, *one.ports) if port}
    within = sorted(port for port in {*case.request.ports, *kept} if first <= port <= last)
    if within:
        some = ", ".join(str(port) for port in within)
        yield note(
            "port-ephemeral",
            f"{verb(len(within), 'port', 'ports')} {some} {verb(len(within), 'lies', 'lie')} within"
            f" net.ipv4.ip_local_port_range ({first}-{last})",
            "an outgoing connection may hold it at the moment the server starts, which then fails",
            f"a port below {first}, or sysctl"
            f" net.ipv4.ip_local_reserved_ports={some.replace(' ', '')}",
            (str(port) for port in within),
        )

"""Ports: each is given once."""

from __future__ import annotations

from ..complaints import Complaints
from ..listen import BadListenError, parse_listen
from ..model import HostSpec
from ..places import Path

_FIRST_FREE_FOR_ALL = 1024


def check(spec: HostSpec, complaints: Complaints) -> None:
    """No port twice among instances, the proxy and its upstreams; none that needs root."""
    owners: dict[int, str] = {}
    for owner, port, at in _ports(spec):
        other = owners.setdefault(port, owner)
        if other != owner:
            complaints.add(
                "port-twice",
                f"{owner.partition(' ')[0]}: port {port} is already taken by {other}",
                *at,
                hint="choose another; an instance without a port gets a free one",
            )
    for name, one in spec.instances.items():
        if one.port is not None and one.port < _FIRST_FREE_FOR_ALL:
            complaints.add(
                "port-privileged",
                f"{name}: port is {one.port}; allowed: 1024 to 65535, "
                "since instances do not run as root",
                *("instances", name, "port"),
                hint=f"remove it and write proxy: {{listen: ...}}, nginx may listen on {one.port}",
            )
        last = (one.port or 0) + (one.replicas if isinstance(one.replicas, int) else 1) - 1
        if one.port is not None and last > 65535:
            complaints.add(
                "port-range",
                f"{name}: port is {one.port}, but {one.replicas} replicas need ports up to {last}",
                *("instances", name, "port"),
                hint=f"at most {65536 - int(one.replicas)}",
            )


def _ports(spec: HostSpec) -> list[tuple[str, int, Path]]:
    """Every port that is written down, with its owner: (chat, 8000, its path)."""
    found: list[tuple[str, int, Path]] = []
    for name, one in spec.instances.items():
        if one.port is not None:
            found.append((name, one.port, ("instances", name, "port")))
    if spec.proxy:
        try:
            port = parse_listen(spec.proxy.listen).port
            found.append(("proxy", port, ("proxy", "listen")))
        except BadListenError:
            pass  # complained about by proxy.check
        for number, upstream in enumerate(spec.proxy.upstreams or ()):
            if upstream.port is not None:
                at: Path = ("proxy", "upstreams", number, "port")
                found.append((f"proxy (upstream {number + 1})", upstream.port, at))
    return found

"""Limits: how many requests a client may send, in nginx's words."""

from __future__ import annotations

from dataclasses import dataclass

from provision.plan.plan import Proxy

from .ways import listens_of, own_addresses

# A request of this machine itself with this header counts in no limit.
PROBE_HEADER = "X-Provision-Probe"


@dataclass(frozen=True, slots=True)
class Limits:
    """rate: `5r/s`, None without one. by: the variable that makes a client in its count."""

    own: tuple[str, ...]
    rate: str | None
    burst: int
    by: str
    connections: int | None


def limits_of(proxy: Proxy) -> Limits | None:
    """None where nothing is limited."""
    if proxy.rate_limit is None and proxy.max_connections is None:
        return None
    limit = proxy.rate_limit
    return Limits(
        own=own_addresses(listens_of(proxy.routes)),
        rate=_rate(limit.requests_per_second) if limit else None,
        burst=limit.burst if limit else 0,
        by="$provision_key" if limit and limit.by == "key" else "$binary_remote_addr",
        connections=proxy.max_connections,
    )


def _rate(a_second: float) -> str:
    """nginx takes whole numbers only, a second or a minute."""
    if a_second == int(a_second):
        return f"{int(a_second)}r/s"
    return f"{max(1, round(a_second * 60))}r/m"

"""Ways: where a route leads inside nginx, one upstream each, by names that everything shares.

A route has one way, or one for each pool when it is chosen by model.
"""

from __future__ import annotations

from dataclasses import dataclass

from provision.plan.plan import Member, Pool, Route

from .. import paths


@dataclass(frozen=True, slots=True)
class Way:
    """name: `root`, or `root.chat` for a pool. members: those of the backup last."""

    name: str
    route: Route
    members: tuple[Member, ...]
    spare: tuple[Member, ...]
    pool: Pool | None = None

    @property
    def upstream(self) -> str:
        return f"provision_{self.name}"

    @property
    def folder(self) -> str:
        """Where its server lines lie."""
        return f"{paths.UPSTREAMS}/{self.name}"


def ways_of(route: Route) -> tuple[Way, ...]:
    """In the order of the pools. An instance of the backup may serve in every pool but its own."""
    backup = route.backup.members if route.backup else ()
    if not route.pools:
        return (Way(route.name, route, route.members, backup),)
    return tuple(
        Way(f"{route.name}.{pool.name}", route, pool.members, backup, pool) for pool in route.pools
    )


def outer(route: Route, path: str) -> str:
    """A path of the engine as a client asks for it."""
    return route.path.rstrip("/") + path


def behind(route: Route, path: str) -> str:
    """The same as the engine is asked for it."""
    return path if route.strip else outer(route, path)


def lets(allowed: tuple[str, ...], path: str) -> bool:
    """Whether one of these paths covers another: with / at its end it is a prefix."""
    return any(path.startswith(one) if one.endswith("/") else path == one for one in allowed)


def reachable(listen: str) -> str:
    """Where this machine itself reaches a listener: wildcards by loopback."""
    address, port = listen.rsplit(":", 1)
    loopback = {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "[::]": "[::1]"}
    return f"{loopback.get(address, address)}:{port}"


def own_addresses(listens: tuple[str, ...]) -> tuple[str, ...]:
    """Where requests of this machine itself come from: loopback, and what is listened on.

    A connection to an address of the machine itself comes from that address.
    """
    own = {"127.0.0.1", "::1"}
    for listen in listens:
        address = listen.rsplit(":", 1)[0].strip("[]")
        if address not in ("0.0.0.0", "::", "*", "localhost"):
            own.add(address)
    return tuple(sorted(own))


def listens_of(routes: tuple[Route, ...]) -> tuple[str, ...]:
    """All listeners, each once, in the order of the routes."""
    return tuple(dict.fromkeys(one for route in routes for one in route.listen))

"""Server blocks and their locations, as the template lays them out."""

from __future__ import annotations

from dataclasses import dataclass

from provision.plan.plan import Proxy, Route

from .backup import Elsewhere, elsewhere_of, goes_elsewhere
from .by_model import is_list
from .ways import Way, behind, outer, ways_of

_MOST_TRIES = 8  # a request is offered to so many members at most


@dataclass(frozen=True, slots=True)
class Inner:
    """One path inside a route's location, and where it goes.

    target: an upstream's address; None where the model decides (or, for a list, is asked for).
    overflow: the location that takes over when nobody of the target can.
    """

    path: str
    exact: bool
    target: str | None
    models: bool
    overflow: str | None


@dataclass(frozen=True, slots=True)
class Location:
    """A route on one server. What no Inner covers is answered with 404."""

    label: str
    name: str
    path: str
    host: str
    tries: int
    by_model: bool
    inner: tuple[Inner, ...]


@dataclass(frozen=True, slots=True)
class PoolLocation:
    """A named location for one pool of a route that is chosen by model."""

    name: str
    prefix: str
    host: str
    tries: int
    target: str
    overflow: str | None


@dataclass(frozen=True, slots=True)
class Health:
    """A path that tells whether something is served, from files of the watch unit.

    ok: files any of which means yes; unavailable: one that says how it is otherwise.
    """

    name: str
    path: str
    ok: tuple[str, ...]
    unavailable: str


@dataclass(frozen=True, slots=True)
class Server:
    """Listeners that serve the same routes share a server block."""

    listens: tuple[str, ...]
    routes: tuple[Location, ...]
    pools: tuple[PoolLocation, ...]
    elsewhere: tuple[Elsewhere, ...]
    health: tuple[Health, ...]

    @property
    def has_root(self) -> bool:
        return any(route.path == "/" for route in self.routes)


def server_blocks(proxy: Proxy, watched: bool) -> list[Server]:
    """In the order of the routes."""
    routes_of: dict[str, list[Route]] = {}
    for route in proxy.routes:
        for listen in route.listen:
            routes_of.setdefault(listen, []).append(route)
    groups: dict[tuple[str, ...], list[str]] = {}
    for listen, routes in routes_of.items():
        groups.setdefault(tuple(route.name for route in routes), []).append(listen)
    return [
        _server(proxy, tuple(listens), routes_of[listens[0]], watched)
        for listens in groups.values()
    ]


def health_paths(proxy: Proxy) -> tuple[str, ...]:
    """All paths of health answers, sorted: nobody needs a key for them."""
    return tuple(
        sorted({one.path for server in server_blocks(proxy, True) for one in server.health})
    )


def _server(proxy: Proxy, listens: tuple[str, ...], routes: list[Route], watched: bool) -> Server:
    found = (elsewhere_of(route) for route in routes)
    main = bool(set(listens) & set(proxy.listen))
    return Server(
        listens=listens,
        routes=tuple(_location(route) for route in routes),
        pools=tuple(_pool(way) for route in routes for way in ways_of(route) if way.pool),
        elsewhere=tuple(one for one in found if one is not None),
        health=_health(routes, main) if watched else (),
    )


def _location(route: Route) -> Location:
    (way, *others) = ways_of(route)
    instances = ", ".join(dict.fromkeys(one.instance for one in route.members))
    return Location(
        label=f"{route.name}: {instances}",
        name=route.name,
        path=route.path,
        host=route.host_header,
        tries=_tries(way),
        by_model=bool(way.pool or others),
        inner=tuple(_inner(way, path) for path in _paths(route)),
    )


def _paths(route: Route) -> list[str]:
    return ["/"] if route.all_paths else sorted(route.paths)


def _inner(way: Way, path: str) -> Inner:
    route = way.route
    # Always with a path: nginx then passes on what it has checked, `..` and `%2e` resolved.
    target = None if way.pool else f"http://{way.upstream}{behind(route, path)}"
    spare = elsewhere_of(route) if way.pool is None and goes_elsewhere(path) else None
    return Inner(
        path=outer(route, path),
        exact=not path.endswith("/"),
        target=target,
        models=way.pool is not None and is_list(path),
        overflow=spare.location if spare else None,
    )


def _pool(way: Way) -> PoolLocation:
    spare = elsewhere_of(way.route)
    return PoolLocation(
        name=f"@{way.upstream}",
        prefix=way.route.path.rstrip("/") if way.route.strip else "",
        host=way.route.host_header,
        tries=_tries(way),
        target=f"http://{way.upstream}",
        overflow=spare.location if spare else None,
    )


def _tries(way: Way) -> int:
    return min(len(way.members) + len(way.spare), _MOST_TRIES)


def _health(routes: list[Route], main: bool) -> tuple[Health, ...]:
    """`/health` for all that this host serves (on a port of its own: for that route), and
    `/PREFIX/health` for each route below a prefix."""
    found = []
    if main:
        found.append(Health("all", "/health", ("/ok.json",), "/unavailable.json"))
    for route in routes:
        if main and route.path == "/":
            continue
        names = [way.name for way in ways_of(route)]
        ok = tuple(f"/{name}/ok.json" for name in names)
        bad = f"/{names[0]}/unavailable.json"
        found.append(Health(route.name, outer(route, "/health"), ok, bad))
    return tuple(found)

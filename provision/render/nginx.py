"""The proxy: an entry file, one file for each upstream server, the health and token probes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from provision.host.bundle import Artifact, KeyMap, Nginx, Probe, SecretReference
from provision.plan.plan import Member, Plan, Proxy, Route

from . import paths
from .environment import digest_of
from .templates import fill

_MOST_TRIES = 8  # a request is offered to so many members at most
_UNKNOWN_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True)
class Upstream:
    name: str
    folder: str
    keepalive_timeout: int


@dataclass(frozen=True, slots=True)
class Inner:
    """One path inside a route's location, and where it goes."""

    path: str
    exact: bool
    target: str


@dataclass(frozen=True, slots=True)
class Location:
    """A route on one server. target: everything below path goes there; else only inner does."""

    label: str
    path: str
    host: str
    tries: int
    target: str | None
    inner: tuple[Inner, ...]


@dataclass(frozen=True, slots=True)
class Server:
    """Listeners that serve the same routes share a server block."""

    listens: tuple[str, ...]
    routes: tuple[Location, ...]

    @property
    def has_root(self) -> bool:
        return any(route.path == "/" for route in self.routes)


def proxy_artifacts(proxy: Proxy) -> tuple[Artifact, ...]:
    """The entry file first, then the server lines. The entry file's digest names them all."""
    members = tuple(
        _member_file(route, member) for route in proxy.routes for member in route.members
    )
    digest = digest_of((_entry(proxy, _UNKNOWN_DIGEST), *members))
    return (_entry(proxy, digest), *members)


def nginx_of(proxy: Proxy, artifacts: tuple[Artifact, ...]) -> Nginx:
    """What apply and verify ask of the proxy."""
    members = artifacts[1:]
    digest = digest_of((_entry(proxy, _UNKNOWN_DIGEST), *members))
    listens = tuple(dict.fromkeys(one for route in proxy.routes for one in route.listen))
    health = Probe(
        url=f"http://{reachable(listens[0])}{paths.HEALTH}", body_has=digest, timeout_seconds=5.0
    )
    return Nginx(configuration=paths.NGINX, listens=tuple(sorted(listens)), health=health)


def key_maps(proxy: Proxy) -> tuple[KeyMap, ...]:
    return (KeyMap(proxy.keys_file, paths.KEYS),) if proxy.keys_file else ()


def through_proxy(plan: Plan, instance: str, token: Probe) -> Probe | None:
    """The token probe by way of nginx; None when no route leads there or lets it through."""
    if plan.proxy is None:
        return None
    asked = urlsplit(token.url).path
    for route in plan.proxy.routes:
        if any(member.instance == instance for member in route.members) and _lets(route, asked):
            keys = plan.proxy.keys_file
            return dataclasses.replace(
                token,
                url=f"http://{reachable(route.listen[0])}{_outer(route, asked)}",
                headers={name: one for name, one in token.headers.items() if name != "Host"},
                bearer=SecretReference(keys) if keys else token.bearer,
            )
    return None


def reachable(listen: str) -> str:
    """Where this machine itself reaches a listener: wildcards by loopback."""
    address, port = listen.rsplit(":", 1)
    loopback: Mapping[str, str] = {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "[::]": "[::1]"}
    return f"{loopback.get(address, address)}:{port}"


def _entry(proxy: Proxy, digest: str) -> Artifact:
    content = fill(
        "nginx/conf.d/provision.conf",
        keys=paths.KEYS if proxy.keys_file else None,
        health=paths.HEALTH,
        upstreams=[_upstream(route) for route in proxy.routes],
        servers=_servers(proxy),
        allow=_allowed(proxy),
        connect_seconds=proxy.connect_timeout_seconds,
        read_seconds=proxy.read_timeout_seconds,
        send_seconds=proxy.send_timeout_seconds,
        max_body_mib=proxy.max_body_mib,
        digest=digest,
    )
    return Artifact(paths.NGINX, content)


def _upstream(route: Route) -> Upstream:
    folder = f"{paths.UPSTREAMS}/{route.name}"
    return Upstream(_upstream_name(route), folder, route.keepalive_timeout_seconds)


def _upstream_name(route: Route) -> str:
    return f"provision_{route.name}"


def _member_file(route: Route, member: Member) -> Artifact:
    """The up form; the down form, made on the host, is the same line with ` down`."""
    content = fill("nginx/provision/upstreams/server.conf", port=member.port, weight=member.weight)
    return Artifact(f"{paths.UPSTREAMS}/{route.name}/{member.instance}.conf", content)


def _servers(proxy: Proxy) -> list[Server]:
    """Server blocks in the order of the routes; listeners with the same routes share one."""
    routes_of: dict[str, list[Route]] = {}
    for route in proxy.routes:
        for listen in route.listen:
            routes_of.setdefault(listen, []).append(route)
    groups: dict[tuple[str, ...], list[str]] = {}
    for listen, routes in routes_of.items():
        groups.setdefault(tuple(route.name for route in routes), []).append(listen)
    return [
        Server(tuple(listens), tuple(_location(route) for route in routes_of[listens[0]]))
        for listens in groups.values()
    ]


def _location(route: Route) -> Location:
    instances = ", ".join(member.instance for member in route.members)
    return Location(
        label=f"{route.name}: {instances}",
        path=route.path,
        host=route.host_header,
        tries=min(len(route.members), _MOST_TRIES),
        target=_target(route, "/" if route.strip else route.path) if route.all_paths else None,
        inner=tuple(
            Inner(_outer(route, path), not path.endswith("/"), _target(route, _behind(route, path)))
            for path in sorted(route.paths)
        ),
    )


def _target(route: Route, path: str) -> str:
    """Always with a path: nginx then passes on what it has checked, `..` and `%2e` resolved."""
    return f"http://{_upstream_name(route)}{path}"


def _outer(route: Route, path: str) -> str:
    """A path of the engine as a client asks for it."""
    return route.path.rstrip("/") + path


def _behind(route: Route, path: str) -> str:
    """The same as the engine is asked for it."""
    return path if route.strip else _outer(route, path)


def _lets(route: Route, path: str) -> bool:
    return route.all_paths or any(
        path.startswith(one) if one.endswith("/") else path == one for one in route.paths
    )


def _allowed(proxy: Proxy) -> list[str]:
    """The owner's list and this machine: loopback, and the addresses that are listened on.

    A connection to an address of the machine itself comes from that address.
    """
    if not proxy.allow:
        return []
    own = {"127.0.0.1", "::1"}
    for listen in (one for route in proxy.routes for one in route.listen):
        address = listen.rsplit(":", 1)[0].strip("[]")
        if address not in ("0.0.0.0", "::", "*", "localhost"):
            own.add(address)
    return [*proxy.allow, *sorted(own - set(proxy.allow))]

"""The ways in through nginx: which requests go to which instances."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from provision.engines.launch import Launch
from provision.engines.registry import engine_named
from provision.host.facts import Facts
from provision.spec.listen import Listen, parse_listen
from provision.spec.model import HostSpec, ProxySpec, UpstreamSpec

from .complaints import Complaints
from .machine.vendors import holder_text, is_own
from .plan import Member, Proxy, Route

_NGINX = ("nginx", "nginx.service", "openresty")


def proxy_ports(spec: HostSpec) -> tuple[int, ...]:
    """Ports that nginx listens on; no instance may have them."""
    if spec.proxy is None:
        return ()
    own = [one.port for one in spec.proxy.upstreams or () if one.port is not None]
    return (parse_listen(spec.proxy.listen).port, *own)


def plan_proxy(spec: HostSpec, launches: Sequence[Launch]) -> Proxy | None:
    """The proxy; None when host.yaml has none.

    The reader has checked that upstreams name instances, that paths and ports are given once, that
    all members of an upstream serve the same models, and that a wide address has keys or allow.
    """
    if spec.proxy is None:
        return None
    listen = parse_listen(spec.proxy.listen)
    ways = spec.proxy.upstreams or _default_ways(spec)
    return Proxy(
        listen=(str(listen),),
        routes=tuple(_route(way, listen, spec, launches) for way in ways),
        connect_timeout_seconds=spec.proxy.timeouts.connect_seconds,
        read_timeout_seconds=spec.proxy.timeouts.read_seconds,
        send_timeout_seconds=spec.proxy.timeouts.send_seconds,
        max_body_mib=spec.proxy.max_body_mib,
        keys_file=spec.proxy.keys.file if spec.proxy.keys else None,
        allow=tuple(spec.proxy.allow or ()),
    )


def _default_ways(spec: HostSpec) -> list[UpstreamSpec]:
    """Every group under /NAME/, and the first one also under /."""
    groups = list(spec.instances)
    first = UpstreamSpec(path="/", instances=[groups[0]])
    return [first, *(UpstreamSpec(path=f"/{name}/", instances=[name]) for name in groups)]


def _route(way: UpstreamSpec, listen: Listen, spec: HostSpec, launches: Sequence[Launch]) -> Route:
    weights: Mapping[str, int] = (
        way.instances if isinstance(way.instances, dict) else dict.fromkeys(way.instances, 1)
    )
    engine = engine_named(spec.instances[next(iter(weights))].engine)
    path = "/" if way.port is not None or way.path is None else f"{way.path.rstrip('/')}/"
    address = listen if way.port is None else Listen(listen.address, way.port)
    members = [
        Member(launch.name, launch.port, weight)
        for group, weight in weights.items()
        for launch in launches
        if launch.group == group
    ]
    return Route(
        name=route_name(path, way.port),
        listen=(str(address),),
        path=path,
        strip=path != "/",
        engine=engine.name,
        members=tuple(members),
        paths=engine.inference_paths,
        keepalive_timeout_seconds=engine.keepalive_timeout_seconds,
    )


def route_name(path: str, port: int | None = None) -> str:
    """A name safe for nginx and for a folder: `root`, `path-large`, `port-9000`.

    A path that is more than one plain word gets part of its digest, so that no two are the same.
    """
    if port is not None:
        return f"port-{port}"
    word = path.strip("/")
    if not word:
        return "root"
    if re.fullmatch(r"[a-z0-9-]+", word):
        return f"path-{word}"
    plain = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:40]
    return f"path-{plain}-{hashlib.sha256(path.encode()).hexdigest()[:6]}"


def check_proxy_ports(
    proxy: ProxySpec | None, facts: Facts, freed: Sequence[str], complaints: Complaints
) -> None:
    """Ports that somebody else than nginx holds: its reload would fail in silence.

    Our own instances make room, as do the vendors' units in freed.
    """
    if proxy is None:
        return
    listen = parse_listen(proxy.listen)
    wanted: list[tuple[int, tuple[str | int, ...]]] = [(listen.port, ("proxy", "listen"))]
    for at, way in enumerate(proxy.upstreams or ()):
        if way.port is not None:
            wanted.append((way.port, ("proxy", "upstreams", at, "port")))
    for port, path in wanted:
        for one in facts.volatile.listeners:
            if one.port != port or one.program in _NGINX or one.unit in _NGINX:
                continue
            if is_own(one.unit) or one.unit in freed or not _meet(one.address, listen.address):
                continue
            complaints.error(
                "port-taken",
                f"proxy: port {port} is held by {holder_text(one)}",
                *path,
                hint="stop it, or let the proxy listen on another port",
            )


def _meet(held: str, wanted: str) -> bool:
    """Whether listeners on these two addresses are in each other's way on one port."""
    wide = ("0.0.0.0", "::", "*", "")
    return held == wanted or held in wide or wanted in wide

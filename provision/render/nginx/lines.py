"""Server lines: one file for each instance of an upstream, with an up and a down form."""

from __future__ import annotations

from provision.host.bundle import UpstreamServer
from provision.plan.plan import Member, Proxy

from ..templates import fill
from .ways import Way, ways_of


def servers_of(proxy: Proxy) -> tuple[UpstreamServer, ...]:
    """All server lines, sorted by path."""
    found = [
        _server(way, member, spare)
        for route in proxy.routes
        for way in ways_of(route)
        for members, spare in ((way.members, False), (way.spare, True))
        for member in members
    ]
    return tuple(sorted(found, key=lambda one: one.path))


def _server(way: Way, member: Member, spare: bool) -> UpstreamServer:
    return UpstreamServer(
        route=way.name,
        instance=member.instance,
        path=f"{way.folder}/{member.instance}.conf",
        up=_line(way, member, spare, down=False),
        down=_line(way, member, spare, down=True),
    )


def _line(way: Way, member: Member, spare: bool, down: bool) -> str:
    return fill(
        "nginx/provision/upstreams/server.conf",
        port=member.port,
        weight=member.weight,
        most=way.route.max_in_flight,
        spare=spare,
        down=down,
    )

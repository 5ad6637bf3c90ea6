"""Elsewhere: the endpoint that gets what no instance of this host can take."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from provision.plan.plan import Proxy, Route

from .. import paths
from .ways import ways_of

_API = "/v1"  # what an OpenAI-compatible endpoint has; other paths of an engine stay here


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """One route's endpoint. prefix: of the client's path, cut off; base: put before the rest."""

    location: str  # @provision_backup.root
    route: str
    scheme: str
    host: str  # with its port where it is not the usual one
    address: str  # where the connection goes, always with a port
    name: str | None  # looked up, and in the certificate; None for an address
    prefix: str
    base: str
    key: str | None
    authorities: str | None


def elsewhere_of(route: Route) -> Elsewhere | None:
    """The endpoint of a route that has one."""
    backup = route.backup
    if backup is None or backup.url is None:
        return None
    parts = urlsplit(backup.url)
    host = parts.hostname or ""
    literal = _is_literal(host)
    shown = f"[{host}]" if ":" in host else host
    usual = 443 if parts.scheme == "https" else 80
    port = parts.port or usual
    return Elsewhere(
        location=f"@provision_backup.{route.name}",
        route=route.name,
        scheme=parts.scheme,
        host=shown if port == usual else f"{shown}:{port}",
        address=f"{shown}:{port}",
        name=None if literal else host,
        prefix=route.path.rstrip("/") if route.strip else "",
        base=_base(parts.path),
        key=key_file(route) if backup.key_file else None,
        authorities=backup.authorities,
    )


def goes_elsewhere(path: str) -> bool:
    """Whether a path of an engine is one that the endpoint has, too."""
    return path.startswith(f"{_API}/")


def key_file(route: Route) -> str:
    """The owned file with the header that carries the endpoint's key."""
    return f"{paths.BACKUP_KEYS}/{route.name}.conf"


def with_backup(proxy: Proxy) -> tuple[str, ...]:
    """Ways that lead elsewhere when all their servers are out, by name, sorted."""
    ways = (way for route in proxy.routes if elsewhere_of(route) for way in ways_of(route))
    return tuple(sorted(way.name for way in ways))


def looks_up_names(proxy: Proxy) -> bool:
    """Whether nginx has to ask a name server while requests come."""
    found = (elsewhere_of(route) for route in proxy.routes)
    return any(one is not None and one.name is not None for one in found)


def _base(path: str) -> str:
    """What stands before the part behind /v1: `/v1` is not written twice.

    https://host and https://host/v1 mean the same, https://host/api/v1 is what it says.
    """
    path = path.rstrip("/")
    return path if path.endswith(_API) else path + _API


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

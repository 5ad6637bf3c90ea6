"""The files of the proxy: entry, server lines, the answer to who asks what is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from provision.engines.versions import at_least
from provision.host.balancer.answer import UNSET, answer_line
from provision.host.bundle import Artifact, KeyHeader, KeyMap
from provision.plan.plan import Proxy

from .. import paths
from ..templates import fill
from .backup import key_file
from .by_model import by_model_artifacts
from .limits import PROBE_HEADER, limits_of
from .lines import servers_of
from .servers import health_paths, server_blocks
from .ways import Way, listens_of, own_addresses, ways_of

_HTTP2_SWITCH_SINCE = (1, 25, 1)  # `http2 on`; `listen ... http2` is a warning from there on


@dataclass(frozen=True, slots=True)
class Upstream:
    name: str
    folder: str
    keepalive_timeout: int


def proxy_artifacts(proxy: Proxy, watched: bool) -> tuple[Artifact, ...]:
    """All nginx files of ours that are rendered, the entry file first. watched: there are health
    files to answer from."""
    lines = (Artifact(one.path, one.up) for one in servers_of(proxy))
    answer = Artifact(paths.ANSWER, answer_line(UNSET))
    return (_entry(proxy, watched), answer, *by_model_artifacts(proxy), *lines)


def key_maps(proxy: Proxy) -> tuple[KeyMap, ...]:
    return (KeyMap(proxy.keys_file, paths.KEYS),) if proxy.keys_file else ()


def key_headers(proxy: Proxy) -> tuple[KeyHeader, ...]:
    """The keys of endpoints elsewhere."""
    return tuple(
        KeyHeader(route.backup.key_file, key_file(route))
        for route in proxy.routes
        if route.backup and route.backup.key_file
    )


def _entry(proxy: Proxy, watched: bool) -> Artifact:
    ways = [way for route in proxy.routes for way in ways_of(route)]
    open_paths = (paths.HEALTH, *(health_paths(proxy) if watched else ()))
    content = fill(
        "nginx/conf.d/provision.conf",
        keys=paths.KEYS if proxy.keys_file else None,
        open_paths=open_paths,
        answer_path=paths.HEALTH,
        answer=paths.ANSWER,
        health_files=paths.HEALTH_FILES,
        resolver=paths.RESOLVER,
        upstreams=[_upstream(way) for way in ways],
        servers=server_blocks(proxy, watched),
        by_model=paths.BY_MODEL if any(way.pool for way in ways) else None,
        allow=_allowed(proxy),
        limits=limits_of(proxy),
        probe_header=PROBE_HEADER,
        probe=f"$http_{PROBE_HEADER.lower().replace('-', '_')}",
        tls=proxy.tls,
        http2_switch=at_least(proxy.nginx_version, _HTTP2_SWITCH_SINCE),
        log=proxy.access_log,
        connect_seconds=proxy.connect_timeout_seconds,
        read_seconds=proxy.read_timeout_seconds,
        send_seconds=proxy.send_timeout_seconds,
        max_body_mib=proxy.max_body_mib,
    )
    return Artifact(paths.NGINX, content)


def _upstream(way: Way) -> Upstream:
    return Upstream(way.upstream, way.folder, way.route.keepalive_timeout_seconds)


def _allowed(proxy: Proxy) -> list[str]:
    """The owner's list and this machine, whose own probes come this way."""
    if not proxy.allow:
        return []
    own = set(own_addresses(listens_of(proxy.routes)))
    return [*proxy.allow, *sorted(own - set(proxy.allow))]

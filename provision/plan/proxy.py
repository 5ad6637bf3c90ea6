"""The ways in through nginx: which requests go to which instances."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from provision.engines.launch import Launch
from provision.engines.registry import engine_named
from provision.host.facts import Facts
from provision.spec.listen import Listen, parse_listen
from provision.spec.model import HostSpec, ProxySpec, UpstreamSpec

from .complaints import Complaints
from .machine.vendors import holder_text, is_own
from .plan import Backup, Proxy, RateLimit, Route, Tls
from .pools import members_of, pools_of, weights_of

_NGINX = ("nginx", "nginx.service", "openresty")
NJS = "ngx_http_js_module"
# Where distributions keep the certificate authorities that they trust, all in one file.
_AUTHORITIES = {
    "/etc/pki/tls/certs/ca-bundle.crt": (
        *("almalinux", "amzn", "centos", "fedora", "ol", "rhel", "rocky"),
    ),
    "/etc/ssl/ca-bundle.pem": ("opensuse-leap", "opensuse-tumbleweed", "sles", "sle-micro"),
}
_USUAL_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"  # Debian, Ubuntu, Arch and their kin


def proxy_ports(spec: HostSpec) -> tuple[int, ...]:
    """Ports that nginx listens on; no instance may have them."""
    if spec.proxy is None:
        return ()
    own = [one.port for one in spec.proxy.upstreams or () if one.port is not None]
    return (parse_listen(spec.proxy.listen).port, *own)


def plan_proxy(spec: HostSpec, launches: Sequence[Launch], facts: Facts) -> Proxy | None:
    """The proxy; None when host.yaml has none.

    The reader has checked that upstreams name instances, that paths and ports are given once, that
    all members of an upstream serve the same models, and that a wide address has keys or allow.
    """
    asked = spec.proxy
    if asked is None:
        return None
    listen = parse_listen(asked.listen)
    ways = asked.upstreams or _default_ways(spec)
    nginx = facts.stable.nginx
    limit = asked.rate_limit
    return Proxy(
        listen=(str(listen),),
        routes=tuple(_route(way, listen, spec, launches, facts) for way in ways),
        connect_timeout_seconds=asked.timeouts.connect_seconds,
        read_timeout_seconds=asked.timeouts.read_seconds,
        send_timeout_seconds=asked.timeouts.send_seconds,
        max_body_mib=asked.max_body_mib,
        keys_file=asked.keys.file if asked.keys else None,
        allow=tuple(asked.allow or ()),
        tls=_tls(asked, facts),
        rate_limit=RateLimit(limit.requests_per_second, limit.burst, limit.by) if limit else None,
        max_connections=asked.max_connections,
        access_log=None if asked.access_log == "off" else asked.access_log,
        nginx_version=nginx.version if nginx else None,
    )


def _tls(asked: ProxySpec, facts: Facts) -> Tls | None:
    """HTTP/2 only where this nginx can: it would not start otherwise."""
    if asked.tls is None:
        return None
    nginx = facts.stable.nginx
    able = nginx is not None and nginx.version is not None and "http_v2_module" in nginx.modules
    return Tls(asked.tls.certificate, asked.tls.key, asked.tls.http2 and able)


def _default_ways(spec: HostSpec) -> list[UpstreamSpec]:
    """Every group under /NAME/, and the first one also under /."""
    groups = list(spec.instances)
    first = UpstreamSpec(path="/", instances=[groups[0]])
    return [first, *(UpstreamSpec(path=f"/{name}/", instances=[name]) for name in groups)]


def _route(
    way: UpstreamSpec, listen: Listen, spec: HostSpec, launches: Sequence[Launch], facts: Facts
) -> Route:
    weights = weights_of(way)
    engines = [engine_named(spec.instances[group].engine) for group in weights]
    path = "/" if way.port is not None or way.path is None else f"{way.path.rstrip('/')}/"
    address = listen if way.port is None else Listen(listen.address, way.port)
    return Route(
        name=route_name(path, way.port),
        listen=(str(address),),
        path=path,
        strip=path != "/",
        engine=engines[0].name,
        members=members_of(weights, launches),
        paths=tuple(sorted({one for engine in engines for one in engine.inference_paths})),
        keepalive_timeout_seconds=min(engine.keepalive_timeout_seconds for engine in engines),
        max_in_flight=way.max_in_flight,
        backup=_backup(way, launches, facts),
        pools=pools_of(weights, launches) if way.by_model else (),
    )


def _backup(way: UpstreamSpec, launches: Sequence[Launch], facts: Facts) -> Backup | None:
    asked = way.backup
    if asked is None:
        return None
    return Backup(
        members=members_of(dict.fromkeys(asked.instances or (), 1), launches),
        url=asked.url,
        key_file=asked.key.file if asked.key else None,
        authorities=_authorities(facts) if (asked.url or "").startswith("https:") else None,
    )


def _authorities(facts: Facts) -> str:
    name = (facts.stable.system.distribution or "").partition(" ")[0]
    found = (path for path, names in _AUTHORITIES.items() if name in names)
    return next(found, _USUAL_AUTHORITIES)


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


def check_nginx(spec: HostSpec, facts: Facts, complaints: Complaints) -> None:
    """What nginx must be able to do for this host.yaml. What it has is known where it was found."""
    nginx = facts.stable.nginx
    if spec.proxy is None or nginx is None:
        return
    if spec.proxy.tls is not None and nginx.modules and "http_ssl_module" not in nginx.modules:
        complaints.error(
            "nginx-without-tls",
            f"proxy: tls is wanted, but {nginx.path} was built without it",
            *("proxy", "tls"),
            hint="install nginx from the distribution or from nginx.org",
        )
    wants_http2 = spec.proxy.tls is not None and spec.proxy.tls.http2
    if wants_http2 and nginx.modules and "http_v2_module" not in nginx.modules:
        complaints.warning(
            "nginx-without-http2",
            f"proxy: {nginx.path} was built without HTTP/2; HTTP/1.1 is served alone",
            *("proxy", "tls"),
            hint="write http2: false to say that this is meant",
        )
    for number, way in enumerate(spec.proxy.upstreams or ()):
        if way.by_model and f"{NJS}.so" not in nginx.loaded_modules:
            installed = f"{NJS}.so" in nginx.dynamic_modules
            complaints.error(
                "nginx-without-njs",
                f"proxy: upstreams[{number}] is chosen by model, which needs nginx's njs module; "
                + ("it is installed, but not loaded" if installed else "it is not installed"),
                *("proxy", "upstreams", number, "by_model"),
                hint=f"put `load_module modules/{NJS}.so;` at the top of {nginx.configuration}"
                if installed
                else "apt install libnginx-mod-http-js; with nginx.org's packages: "
                "nginx-module-njs",
            )


def _meet(held: str, wanted: str) -> bool:
    """Whether listeners on these two addresses are in each other's way on one port."""
    wide = ("0.0.0.0", "::", "*", "")
    return held == wanted or held in wide or wanted in wide

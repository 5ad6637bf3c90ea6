"""What apply, verify and watch must know of the proxy."""

from __future__ import annotations

from provision.host.bundle import Nginx, Probe
from provision.plan.plan import Proxy, Route

from .. import paths
from .backup import elsewhere_of, looks_up_names, with_backup
from .by_model import NJS
from .lines import servers_of
from .ways import listens_of, reachable


def nginx_of(proxy: Proxy) -> Nginx:
    """The probe tells which configuration the workers have loaded; who asks knows which it is."""
    listens = listens_of(proxy.routes)
    scheme = "https" if proxy.tls else "http"
    url = f"{scheme}://{reachable(listens[0])}{paths.HEALTH}"
    return Nginx(
        configuration=paths.NGINX,
        listens=tuple(sorted(listens)),
        health=Probe(url=url, timeout_seconds=5.0),
        servers=servers_of(proxy),
        answer=paths.ANSWER,
        with_backup=with_backup(proxy),
        paths={route.name: _asked(route, proxy) for route in proxy.routes},
        requires=_requires(proxy),
        modules=(NJS,) if any(route.pools for route in proxy.routes) else (),
        resolver=paths.RESOLVER if looks_up_names(proxy) else None,
    )


def _asked(route: Route, proxy: Proxy) -> str:
    """What a client asks for: the path, with the port where it is one of its own."""
    own = [one for one in route.listen if one not in proxy.listen]
    return f":{own[0].rpartition(':')[2]}{route.path}" if own else route.path


def _requires(proxy: Proxy) -> tuple[str, ...]:
    """Files of others that nginx reads when it starts: sorted, each once."""
    found = {proxy.tls.certificate, proxy.tls.key} if proxy.tls else set()
    for route in proxy.routes:
        spare = elsewhere_of(route)
        if spare and spare.authorities:
            found.add(spare.authorities)
    return tuple(sorted(found))

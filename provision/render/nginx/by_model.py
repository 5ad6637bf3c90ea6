"""Routing by the `model` of a request: the data of the module that nginx's njs runs."""

from __future__ import annotations

from provision.host.bundle import Artifact
from provision.plan.plan import Pool, Proxy, Route

from .. import paths
from ..templates import fill
from .ways import ways_of

NJS = "ngx_http_js_module"
MODELS = "/v1/models"


def by_model_artifacts(proxy: Proxy) -> tuple[Artifact, ...]:
    """The module with the models of all routes; nothing where none is chosen by model."""
    chosen = [route for route in proxy.routes if route.pools]
    if not chosen:
        return ()
    routes = {route.name: _data(route) for route in chosen}
    return (Artifact(paths.BY_MODEL, fill("nginx/provision/by_model.js", routes=routes)),)


def is_list(path: str) -> bool:
    """Whether a path asks for models instead of asking one of them."""
    return path in (MODELS, f"{MODELS}/")


def paths_of(pool: Pool, route: Route) -> tuple[str, ...]:
    """What may be asked of a pool."""
    return ("/",) if route.all_paths else pool.paths


def _data(route: Route) -> dict[str, object]:
    return {
        "prefix": route.path.rstrip("/") if route.strip else "",
        "listed": [name for pool in route.pools for name in pool.listed],
        "pools": [
            {
                "location": f"@{way.upstream}",
                "models": list(way.pool.models),
                "paths": list(paths_of(way.pool, route)),
            }
            for way in ways_of(route)
            if way.pool
        ],
    }

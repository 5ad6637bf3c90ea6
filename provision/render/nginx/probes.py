"""The token probe by way of nginx, as a client would ask."""

from __future__ import annotations

import dataclasses
import json
from urllib.parse import urlsplit

from provision.host.bundle import Probe, SecretReference
from provision.plan.plan import Plan, Pool, Route

from .limits import PROBE_HEADER, limits_of
from .ways import lets, outer, reachable, ways_of


def through_proxy(plan: Plan, instance: str, token: Probe) -> Probe | None:
    """The token probe by way of nginx; None when no route leads there or lets it through."""
    if plan.proxy is None:
        return None
    asked = urlsplit(token.url).path
    for route in plan.proxy.routes:
        pool = _pool_with(route, instance)
        if not any(one.instance == instance for one in route.members):
            continue
        if not route.all_paths and not lets(pool.paths if pool else route.paths, asked):
            continue
        keys = plan.proxy.keys_file
        headers = {name: one for name, one in token.headers.items() if name != "Host"}
        if limits_of(plan.proxy):
            headers[PROBE_HEADER] = "1"
        scheme = "https" if plan.proxy.tls else "http"
        return dataclasses.replace(
            token,
            url=f"{scheme}://{reachable(route.listen[0])}{outer(route, asked)}",
            headers=headers,
            body=_named(token.body, pool) if pool else token.body,
            bearer=SecretReference(keys) if keys else token.bearer,
        )
    return None


def _pool_with(route: Route, instance: str) -> Pool | None:
    for way in ways_of(route):
        if way.pool and any(one.instance == instance for one in way.members):
            return way.pool
    return None


def _named(body: str | None, pool: Pool) -> str | None:
    """The same question with a model that leads to this pool: llama-server is asked without one."""
    asked = json.loads(body) if body else None
    if not isinstance(asked, dict) or asked.get("model") in pool.models or not pool.listed:
        return body
    return json.dumps({**asked, "model": pool.listed[0]})

"""What `/health` of the proxy answers: files that nginx serves, kept by the watch unit.

Of ok.json and unavailable.json exactly one exists while it runs, and none while it does not.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..bundle import Nginx
from ..files import Files

FOLDER = "/run/provision/health"
OK, UNAVAILABLE = "ok.json", "unavailable.json"

Status = Literal["ok", "degraded", "unavailable"]


@dataclass(frozen=True, slots=True)
class Health:
    """routes by name. degraded: something is missing, but every request can be served by somebody;
    of the whole: at least one route can.
    """

    status: Status
    routes: Mapping[str, Status] = field(default_factory=dict)


def members_by_route(nginx: Nginx) -> dict[str, tuple[str, ...]]:
    """Names of the instances behind each route, as they stand in the balancer."""
    found: dict[str, list[str]] = {}
    for server in nginx.servers:
        found.setdefault(server.route, []).append(server.instance)
    return {route: tuple(dict.fromkeys(names)) for route, names in sorted(found.items())}


def health_of(nginx: Nginx, up: Collection[str]) -> Health:
    """The health of all routes from the instances that serve."""
    routes: dict[str, Status] = {}
    for route, members in members_by_route(nginx).items():
        serving = sum(name in up for name in members)
        if serving == len(members):
            routes[route] = "ok"
        elif serving or route in nginx.with_backup:
            routes[route] = "degraded"
        else:
            routes[route] = "unavailable"
    kinds = set(routes.values())
    if kinds <= {"ok"}:
        return Health("ok", routes)
    return Health("unavailable" if kinds == {"unavailable"} else "degraded", routes)


def write_health(files: Files, now: Health, before: Health | None) -> None:
    """Put the files in place that differ from before; of routes that are gone they are removed."""
    if before is None or before != now:
        _put(files, FOLDER, now.status, {"status": now.status, "routes": dict(now.routes)})
    was = before.routes if before else {}
    for route, status in now.routes.items():
        if was.get(route) != status:
            text = {"status": status, "routes": {route: status}}
            _put(files, f"{FOLDER}/{route}", status, text)
    for route in _routes_on_disk(files):
        if route not in now.routes:
            _drop(files, f"{FOLDER}/{route}")


def remove_health(files: Files) -> None:
    """Nobody watches any more."""
    for route in _routes_on_disk(files):
        _drop(files, f"{FOLDER}/{route}")
    _drop(files, FOLDER)


def _put(files: Files, folder: str, status: Status, document: object) -> None:
    """The new one first: at no time is there none of the two."""
    bad = status == "unavailable"
    text = json.dumps(document, ensure_ascii=False, sort_keys=True) + "\n"
    files.write(f"{folder}/{UNAVAILABLE if bad else OK}", text.encode(), 0o644)
    files.remove(f"{folder}/{OK if bad else UNAVAILABLE}")


def _drop(files: Files, folder: str) -> None:
    files.sweep(folder)
    files.remove(f"{folder}/{OK}")
    files.remove(f"{folder}/{UNAVAILABLE}")
    files.remove_empty_folder(folder)


def _routes_on_disk(files: Files) -> tuple[str, ...]:
    try:
        return tuple(sorted(one.name for one in files.at(FOLDER).iterdir() if one.is_dir()))
    except OSError:
        return ()

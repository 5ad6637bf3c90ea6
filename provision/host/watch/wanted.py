"""What is to be watched, from the State of the last apply."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..bundle import Instance, Nginx, WatchSettings
from ..files import Files
from ..transaction.state import State


@dataclass(frozen=True, slots=True)
class Wanted:
    """instances by name. Nothing where nothing was applied, or host.yaml has `watch: off`.

    configuration: what was applied as nginx.configuration.
    """

    instances: Mapping[str, Instance] = field(default_factory=dict)
    nginx: Nginx | None = None
    configuration: str | None = None
    settings: WatchSettings = field(default_factory=WatchSettings)


def wanted_of(state: State | None) -> Wanted:
    """The instances that can be asked for a token or for readiness, and their balancer."""
    if state is None or state.bundle.watch is None:
        return Wanted()
    bundle = state.bundle
    asked = {
        one.name: one
        for one in sorted(bundle.instances, key=lambda one: one.name)
        if one.runtime.token or one.runtime.ready
    }
    path = bundle.nginx.configuration if bundle.nginx else None
    entry = next((one.content for one in bundle.artifacts if one.path == path), None)
    return Wanted(asked, bundle.nginx, entry, state.bundle.watch)


def as_on_disk(nginx: Nginx, configuration: str | None, files: Files) -> Nginx:
    """The balancer as it can be asked now.

    While an apply is at work its configuration lies on disk, and is not in the State yet. It may
    listen at other addresses, where nobody knows to ask for the mark. A switch is proven by the
    workers alone then: the old ones take no request any more.
    """
    if configuration is None or files.read(nginx.configuration) == configuration.encode():
        return nginx
    return dataclasses.replace(nginx, health=None, listens=())

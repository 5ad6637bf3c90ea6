"""What is to be watched, from the State of the last apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..bundle import Instance, Nginx, WatchSettings
from ..transaction.state import State


@dataclass(frozen=True, slots=True)
class Wanted:
    """instances by name. Nothing where nothing was applied, or host.yaml has `watch: off`."""

    instances: Mapping[str, Instance] = field(default_factory=dict)
    nginx: Nginx | None = None
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
    return Wanted(asked, bundle.nginx, state.bundle.watch)

"""The rules between the keys of host.yaml, those that need no host."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from provision.host.errors import Diagnostic

from ..complaints import Complaints
from ..places import Places
from . import backup, drift, environment, gpus, instance, memory, pools, ports, proxy, replicas

if TYPE_CHECKING:
    from ..model import HostSpec


def check(
    spec: HostSpec, places: Places | None = None, known: Collection[str] = ()
) -> list[Diagnostic]:
    """All complaints about a spec whose single values are right.

    known: names of instances with complaints of their own. They are missing in this spec or lack
    keys, so only what each key says by itself is checked.
    """
    complaints = Complaints(places)
    for name, one in spec.instances.items():
        instance.check_values(name, one, complaints)
        memory.check_values(name, one, complaints)
        environment.check(name, one, complaints)
        gpus.check_values(name, one, complaints)
        if name not in known:
            instance.check_together(name, one, complaints)
            memory.check_together(name, one, complaints)
            replicas.check(name, one, complaints)
    gpus.check_shared(spec, complaints)
    gpus.check_reserved(spec, complaints)
    gpus.check_settings(spec, complaints)
    ports.check(spec, complaints)
    if spec.proxy:
        proxy.check(spec.proxy, complaints)
        pools.check(spec, complaints, known)
        backup.check(spec, complaints, known)
    if spec.drift:
        drift.check(spec.drift, complaints)
    return complaints.found

"""Which instances an apply would start, restart or stop, by what runs and what is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..bundle import Bundle, Instance
from ..facts import Placed
from ..proof.live import environ_of
from ..report import UnitChange
from ..sockets import split_listen
from ..systemd import UnitStatus
from .state import State


def running_digest(status: UnitStatus) -> str | None:
    """PROVISION_DIGEST of the live main process; None when it has none or is gone."""
    if status.main_pid is None:
        return None
    return (environ_of(status.main_pid) or {}).get("PROVISION_DIGEST")


def instance_changes(
    bundle: Bundle, state: State | None, seen: Mapping[str, UnitStatus]
) -> list[UnitChange]:
    """Starts and restarts, and before them the stops that make room for each other."""
    found: list[UnitChange] = []
    acted: list[Instance] = []
    for instance in bundle.instances:
        status = seen[instance.unit]
        change = _instance(instance, status)
        if change:
            found.append(change)
            acted.append(instance)
    # What starts comes before what restarts: a new replica serves while the others are taken out.
    found.sort(key=lambda one: one.action != "start")
    return [*_in_the_way(acted, state, seen, proxy_ports(bundle)), *found]


def proxy_ports(bundle: Bundle) -> set[int]:
    """The ports on which nginx is to listen."""
    return {split_listen(one)[1] for one in bundle.nginx.listens} if bundle.nginx else set()


def _instance(instance: Instance, status: UnitStatus) -> UnitChange | None:
    if status.active == "activating" and running_digest(status) not in (None, instance.digest):
        # A start that is joined would end with the old files.
        return UnitChange(instance.unit, "restart", "is starting with another configuration")
    if not status.running:
        why = "is still starting" if status.active == "activating" else f"is {status.active}"
        return UnitChange(instance.unit, "start", why)
    digest = running_digest(status)
    if digest == instance.digest:
        return None
    why = "runs without our digest" if digest is None else "unit, environment or GPUs changed"
    return UnitChange(instance.unit, "restart", why)


def _in_the_way(
    acted: Iterable[Instance],
    state: State | None,
    seen: Mapping[str, UnitStatus],
    proxy: set[int],
) -> list[UnitChange]:
    """Stops of instances that still hold a port or GPU which another one gets in this run.

    Without them two instances that swap their ports would each find the other's taken. proxy:
    ports on which nginx is to listen.
    """
    placed_now = {one.unit: one.placed for one in state.bundle.instances} if state else {}
    found: list[UnitChange] = []
    acting = list(acted)
    for holder in acting:
        held = placed_now.get(holder.unit)
        if held is None or seen[holder.unit].stopped:
            continue
        if set(held.ports) & proxy:
            what = f"port {min(set(held.ports) & proxy)} goes to the proxy"
            found.append(UnitChange(holder.unit, "stop", what))
            continue
        for other in acting:
            had = placed_now.get(other.unit, Placed(other.name, other.engine, other.unit))
            shared = set(held.ports) & (set(other.placed.ports) - set(had.ports))
            gpus = set(held.gpus) & (set(other.placed.gpus) - set(had.gpus))
            if other.unit != holder.unit and (shared or gpus):
                what = f"port {min(shared)}" if shared else "a GPU"
                found.append(UnitChange(holder.unit, "stop", f"{what} goes to {other.name}"))
                break
    return found


def parted(
    stops: Sequence[UnitChange],
    acts: Sequence[UnitChange],
    bundle: Bundle,
    state: State | None,
) -> tuple[list[UnitChange], list[UnitChange]]:
    """Dropped instances that leave before others start, and those that serve until these do.

    Who leaves late must hold no port or GPU that another one gets. Without GPUs its model lies in
    RAM, where a further one may not fit beside it.
    """
    acted = {one.unit: one.action for one in acts if one.action != "stop"}
    starting = [one for one in bundle.instances if one.unit in acted]
    more = any(action == "start" for action in acted.values())
    placed = {one.unit: one.placed for one in state.bundle.instances} if state else {}
    early: list[UnitChange] = []
    late: list[UnitChange] = []
    for stop in stops:
        held = placed.get(stop.unit)
        serves_on = held is not None and starting and (held.gpus or not more)
        stays = serves_on and not _blocks(held, starting, proxy_ports(bundle))
        (late if stays else early).append(stop)
    return early, late


def _blocks(held: Placed | None, starting: Iterable[Instance], proxy: set[int]) -> bool:
    """Whether something that starts needs what an instance holds; unknown counts as yes."""
    if held is None or set(held.ports) & proxy:
        return True
    return any(
        set(held.ports) & set(one.placed.ports) or set(held.gpus) & set(one.placed.gpus)
        for one in starting
    )

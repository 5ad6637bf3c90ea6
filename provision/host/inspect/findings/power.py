"""Power: persistence, limits that do not hold, the supply's budget."""

from __future__ import annotations

from collections.abc import Iterator

from ...facts import Finding, Gpu
from .case import Case
from .kinds import laptop
from .names import each, gpus_named, only, uuids, watts
from .severity import note, warning

PERSISTENCE_DAEMON = "nvidia-persistenced.service"
_SLACK = 1.0  # watts; the driver rounds
_SHARE = 0.8  # of the supplies, for GPUs: CPUs, memory, disks and fans take the rest


def power_findings(case: Case) -> Iterator[Finding]:
    yield from _persistence(case)
    yield from _not_holding(case)
    yield from _budget(case)


def without_persistence(case: Case) -> list[Gpu]:
    """GPUs whose driver unloads when nobody uses them; a laptop saves power so."""
    return [
        gpu
        for gpu in case.nvidia
        if (now := case.now.get(gpu.uuid)) and now.persistence is False and not laptop(gpu.name)
    ]


def _persistence(case: Case) -> Iterator[Finding]:
    """Off: the driver forgets limits and takes seconds to start once nobody uses the GPU."""
    off = without_persistence(case)
    if not off:
        return
    lowered = [gpu for gpu in off if _lowered(case, gpu)]
    evidence = f"persistence mode is off on {gpus_named(case, off)}"
    if lowered:
        evidence += f", with a power limit below the default on {gpus_named(case, lowered)}"
    if _daemon_failed(case):
        evidence += f", and {PERSISTENCE_DAEMON} has failed"
    tell = warning if lowered else note
    yield tell(
        "persistence-off",
        evidence,
        "the limit is lost when the last program closes the GPU"
        if lowered
        else "the driver unloads its state when the last program closes the GPU, so starts take"
        " seconds longer and power limits are lost",
        _to_persist(case, off),
        uuids(off),
    )


def _daemon_failed(case: Case) -> bool:
    return any(
        one.name == PERSISTENCE_DAEMON and one.active == "failed" for one in case.volatile.units
    )


def _to_persist(case: Case, off: list[Gpu]) -> str:
    """Not by the daemon alone: Ubuntu's unit starts it with --no-persistence-mode."""
    selected = "" if len(off) == len(case.nvidia) else f"{only(case, off)} "
    daemon = f"systemctl status {PERSISTENCE_DAEMON} tells why; " if _daemon_failed(case) else ""
    return (
        f"{daemon}nvidia-smi {selected}-pm 1 until the next boot; for good,"
        " gpu_settings: {persistence: true} in the spec"
    )


def _lowered(case: Case, gpu: Gpu) -> bool:
    limit = case.now[gpu.uuid].power_limit_watts
    if limit is None or gpu.power_default_watts is None:
        return False
    return limit < gpu.power_default_watts - _SLACK


def _not_holding(case: Case) -> Iterator[Finding]:
    """What is enforced differs from what was set: another limit is in the way."""
    differing = []
    for gpu in case.nvidia:
        now = case.now.get(gpu.uuid)
        if now is None or now.power_limit_watts is None or now.power_enforced_watts is None:
            continue
        if abs(now.power_limit_watts - now.power_enforced_watts) > _SLACK:
            differing.append((gpu, now.power_limit_watts, now.power_enforced_watts))
    if differing:
        gpus = [gpu for gpu, _, _ in differing]
        told = each(
            [(gpu, f"{watts(limit)} set, {watts(held)} enforced") for gpu, limit, held in differing]
        )
        yield warning(
            "power-limit-not-holding",
            f"the power limit of {gpus_named(case, gpus)} does not hold ({told})",
            "the card runs at another limit than was set, so speed and heat are not as planned",
            f"nvidia-smi -q -d POWER {only(case, gpus)} shows all limits; check power cables, and"
            " what board or enclosure allow",
            uuids(gpus),
        )


def _budget(case: Case) -> Iterator[Finding]:
    """The GPUs' limits against the power supplies, whose watts only the owner knows."""
    supply = case.request.power_supply_watts
    if not supply:
        return
    limits = [(gpu, limit) for gpu in case.stable.gpus if (limit := _limit(case, gpu))]
    total = sum(limit for _, limit in limits)
    if not limits or total <= supply * _SHARE:
        return
    unknown = len([gpu for gpu in case.stable.gpus if not gpu.integrated]) - len(limits)
    more = f" (and {unknown} GPUs whose limit is not told)" if unknown > 0 else ""
    beyond = total > supply
    yield warning(
        "power-budget",
        f"the power limits of {gpus_named(case, [gpu for gpu, _ in limits])} add up to"
        f" {watts(total)}{more}, {total / supply:.0%} of the {watts(supply)} that the power"
        " supplies give",
        "under full load of all cards the machine switches off"
        if beyond
        else f"{watts(supply - total)} are left for CPUs, memory, disks, fans and the cards' short"
        " peaks; the machine may switch off under full load",
        f"set power limits so that they add up to {watts(int(supply * _SHARE))} or less",
        uuids(gpu for gpu, _ in limits),
    )


def _limit(case: Case, gpu: Gpu) -> float | None:
    """The watts that a card may draw: enforced, else set, else its default."""
    if gpu.integrated:
        return None
    now = case.now.get(gpu.uuid)
    told = (now.power_enforced_watts, now.power_limit_watts) if now else (None, None)
    return next((one for one in (*told, gpu.power_default_watts) if one is not None), None)

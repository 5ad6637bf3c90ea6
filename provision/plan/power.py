"""Settings of the driver: persistence and power limits, within each card's own range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provision.host.bundle import GpuSetting
from provision.host.facts import Gpu
from provision.spec.model import GpuSelector, GpuSettingsSpec, PowerLimit

from .complaints import Complaints
from .machine.gpus import GpuTable, matches
from .placement.wishes import named_gpus
from .plan import PlannedGpuSettings
from .wording import gpu_line

_SHARE_FOR_GPUS = 0.8
_PATH = ("gpu_settings", "power_limit_watts")


def plan_gpu_settings(
    settings: GpuSettingsSpec | None, table: GpuTable, complaints: Complaints
) -> PlannedGpuSettings | None:
    """Wanted settings by GPU, in PCI order; None when host.yaml says nothing about them.

    NVIDIA's cards only. A limit outside a card's range is an error, never clamped.
    """
    if settings is None:
        return None
    cards = [gpu for gpu in table.gpus if gpu.vendor == "nvidia"]
    limits = _limits(settings, cards, table, complaints)
    if settings.persistence is not None and not cards:
        complaints.warning(
            "no-gpu",
            f"gpu_settings: persistence is {str(settings.persistence).lower()}, but no NVIDIA GPU "
            f"is known on this host{f': {table.missing}' if table.missing else ''}",
            *("gpu_settings", "persistence"),
        )
    _check_supply(settings, cards, limits, complaints)
    found = [
        GpuSetting(gpu.uuid, gpu.address, settings.persistence, limits.get(gpu.uuid))
        for gpu in cards
        if settings.persistence is not None or gpu.uuid in limits
    ]
    return PlannedGpuSettings(tuple(found), settings.device_order)


def _limits(
    settings: GpuSettingsSpec, cards: Sequence[Gpu], table: GpuTable, complaints: Complaints
) -> dict[str, float]:
    """Watts by UUID, each checked."""
    wanted = settings.power_limit_watts
    if wanted is None:
        return {}
    if isinstance(wanted, int):
        if not cards:
            _no_cards(f"power_limit_watts is {wanted}", table, complaints)
        for gpu in cards:
            _check(gpu, wanted, cards, complaints, *_PATH)
        return {gpu.uuid: float(wanted) for gpu in cards}
    limits: dict[str, float] = {}
    for at, limit in enumerate(wanted):
        chosen = _selected(limit, at, cards, table, complaints)
        for gpu in chosen:
            if limits.get(gpu.uuid, limit.watts) != limit.watts:
                complaints.error(
                    "two-limits",
                    f"gpu_settings: {gpu_line(gpu)} has two power limits, "
                    f"{limits[gpu.uuid]:.0f} and {limit.watts} W",
                    *(*_PATH, at, "gpus"),
                    hint="make the selectors disjoint",
                )
            _check(gpu, limit.watts, chosen, complaints, *_PATH, at, "watts")
            limits[gpu.uuid] = float(limit.watts)
    return limits


def _selected(
    limit: PowerLimit, at: int, cards: Sequence[Gpu], table: GpuTable, complaints: Complaints
) -> Sequence[Gpu]:
    """The cards of one limit. Without a count a selector means all that match."""
    path = (*_PATH, at, "gpus")
    if not isinstance(limit.gpus, GpuSelector):
        return named_gpus(limit.gpus, table, complaints, "gpu_settings", *path) or ()
    selector = limit.gpus
    found = [gpu for gpu in cards if matches(gpu, selector)]
    count = selector.count if "count" in selector.model_fields_set else max(1, len(found))
    if len(found) < count:
        have = ", ".join(map(gpu_line, cards)) or "no NVIDIA GPU"
        complaints.error(
            "gpus-short",
            f"gpu_settings: {limit.watts} W for {count} cards, but {len(found)} match",
            *path,
            hint=f"here: {have}",
        )
    return found[:count]


def _no_cards(what: str, table: GpuTable, complaints: Complaints) -> None:
    why = f": {table.missing}" if table.missing else ""
    complaints.error(
        "no-gpu",
        f"gpu_settings: {what}, but no NVIDIA GPU is known on this host{why}",
        *_PATH,
        hint="install the driver and check `nvidia-smi`" if table.missing else "leave it out",
    )


def _check(
    gpu: Gpu, watts: int, cards: Sequence[Gpu], complaints: Complaints, *path: str | int
) -> None:
    low, high = gpu.power_min_watts, gpu.power_max_watts
    if low is None or high is None:
        complaints.warning(
            "power-range-unknown",
            f"gpu_settings: {gpu_line(gpu)} does not tell its power range; whether it takes "
            f"{watts} W shows when it is set",
            *path,
        )
    elif not low <= watts <= high:
        complaints.error(
            "power-limit",
            f"gpu_settings: {watts} W is outside the range of {gpu_line(gpu)}: "
            f"{low:g} to {high:g} W",
            *path,
            hint=_common_range(cards),
        )


def _check_supply(
    settings: GpuSettingsSpec,
    cards: Sequence[Gpu],
    limits: Mapping[str, float],
    complaints: Complaints,
) -> None:
    """The cards' limits against what the power supplies give, where the owner says it.

    A fifth is kept for CPUs, memory, disks and fans, which nobody tells.
    """
    supply = settings.power_supply_watts
    drawn = [limits.get(gpu.uuid, gpu.power_default_watts) for gpu in cards]
    total = sum(watts for watts in drawn if watts is not None)
    if supply is None or total <= _SHARE_FOR_GPUS * supply:
        return
    tell = complaints.error if total > supply and limits else complaints.warning
    tell(
        "power-budget",
        f"gpu_settings: the limits of {len(cards)} GPUs add up to {total:.0f} W, "
        f"{total / supply:.0%} of the {supply} W of the power supplies",
        *("gpu_settings", "power_supply_watts"),
        hint=f"power_limit_watts: {_SHARE_FOR_GPUS * supply / len(cards):.0f} leaves a fifth for "
        "the rest of the machine",
    )


def _common_range(cards: Sequence[Gpu]) -> str:
    """What all of these cards would take."""
    low = max(gpu.power_min_watts or 0.0 for gpu in cards)
    highest = [gpu.power_max_watts for gpu in cards if gpu.power_max_watts is not None]
    if highest and low <= min(highest):
        return f"{low:g} to {min(highest):g} W suits {'all of them' if len(cards) > 1 else 'it'}"
    return "give cards of different ranges limits of their own: [{gpus: {model: ...}, watts: ...}]"

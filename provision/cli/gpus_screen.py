"""The GPUs on a screen: settings and state of each, and who uses them."""

from __future__ import annotations

from provision.host.facts import Facts, Gpu, GpuNow
from provision.view.labels import gpu_labels

from .screen import Table, count, gib, heading, put


def show_gpus(facts: Facts) -> None:
    """The settings and the state of each GPU, and the name that stays: its UUID."""
    if not facts.stable.gpus:
        return
    now = {one.uuid: one for one in facts.volatile.gpus}
    labels = gpu_labels(facts)
    head = ("GPU", "in use", "power", "limits", "°C", "persist.", "ECC", "state", "UUID")
    table, names = Table(head), Table(("GPU", "UUID", "state"))
    for gpu in facts.stable.gpus:
        state = now.get(gpu.uuid, GpuNow(gpu.uuid))
        label = labels[gpu.uuid].removeprefix("GPU ")
        names.row(label, gpu.uuid, _state(gpu, state))
        table.row(
            label,
            _used(gpu, state),
            _power(state),
            _range(gpu),
            "" if state.temperature_c is None else str(state.temperature_c),
            _on_off(state.persistence),
            _on_off(gpu.ecc),
            _state(gpu, state),
            gpu.uuid,
        )
    heading("GPUs")
    # Limits are the first to go where the room is short; then names and states stand apart.
    limits = head.index("limits")
    for shown in (table, table.without(limits)):
        if shown.fits():
            shown.show()
            return
    table.without(head.index("UUID")).without(head.index("state")).show()
    put()
    names.show()


def _used(gpu: Gpu, state: GpuNow) -> str:
    if state.memory_used_mib is None:
        return gib(gpu.memory_mib)
    return f"{gib(state.memory_used_mib)} of {gib(gpu.memory_mib)}"


def _power(state: GpuNow) -> str:
    """Watts drawn and the limit that really holds."""
    limit = state.power_enforced_watts
    limit = state.power_limit_watts if limit is None else limit
    if limit is None:
        return "" if state.power_draw_watts is None else f"{state.power_draw_watts:.0f} W"
    if state.power_draw_watts is None:
        return f"{limit:.0f} W"
    return f"{state.power_draw_watts:.0f} of {limit:.0f} W"


def _range(gpu: Gpu) -> str:
    if gpu.power_min_watts is None or gpu.power_max_watts is None:
        return ""
    return f"{gpu.power_min_watts:.0f}-{gpu.power_max_watts:.0f} W"


def _on_off(value: bool | None) -> str:
    return {True: "on", False: "off", None: ""}[value]


def _state(gpu: Gpu, state: GpuNow) -> str:
    """What is out of the ordinary."""
    said = [reason for reason in state.throttle or () if reason not in ("gpu-idle", "app-clocks")]
    if gpu.mig:
        said.append(f"MIG {count(len(gpu.mig_devices), 'slice')}")
    if gpu.partition and gpu.partition != "SPX":
        said.append(gpu.partition)
    if gpu.compute_mode not in (None, "default"):
        said.append(str(gpu.compute_mode))
    return " ".join(said)


def show_users_of_gpus(facts: Facts) -> None:
    """The processes that hold memory of a GPU, or of a slice."""
    labels = gpu_labels(facts)
    for gpu in facts.stable.gpus:
        for one in gpu.mig_devices:
            labels[one.uuid] = f"{labels[gpu.uuid]} {one.profile or 'slice'}"
    table = Table(("on GPU", "program", "pid", "memory", "unit"))
    for process in facts.volatile.gpu_processes:
        place = labels.get(process.gpu, process.gpu).removeprefix("GPU ")
        memory = gib(process.memory_mib)
        table.row(place, process.program or "", str(process.pid), memory, process.unit or "")
    if table.rows:
        put()
        table.show()

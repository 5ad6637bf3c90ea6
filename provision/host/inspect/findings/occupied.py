"""GPUs that something else uses: desktops, foreign programs, what a killed program left."""

from __future__ import annotations

from collections.abc import Iterator

from ...facts import Finding, Gpu, GpuProcess
from .case import Case
from .names import each, gib, gpus_named, only, uuids, verb
from .severity import note

_DESKTOP = (
    *("Xorg", "X", "Xwayland", "gnome-shell", "gnome-session-b", "mutter", "gdm-x-session"),
    *("kwin_wayland", "kwin_x11", "plasmashell", "sddm-greeter", "lightdm", "xfwm4", "cinnamon"),
    *("sway", "weston", "cosmic-comp", "Hyprland"),
)
_DESKTOP_MIB = 100  # a server's idle Xorg takes less
_ORPHAN_MIB = 2048
_ORPHAN_SHARE = 0.05


def occupied_findings(case: Case) -> Iterator[Finding]:
    yield from _desktop(case)
    yield from _foreign(case)
    yield from _orphaned(case)


def _desktop(case: Case) -> Iterator[Finding]:
    by_gpu: dict[str, list[GpuProcess]] = {}
    for one in case.volatile.gpu_processes:
        if one.program in _DESKTOP:
            by_gpu.setdefault(one.gpu, []).append(one)
    told: list[str] = []
    gpus: list[Gpu] = []
    for uuid, found in by_gpu.items():
        gpu = case.gpu(uuid)
        held = sum(one.memory_mib or 0 for one in found)
        if gpu is not None and held >= _DESKTOP_MIB:
            programs = sorted({one.program or "" for one in found})
            gpus.append(gpu)
            told.append(f"{held} MiB of {gpus_named(case, [gpu])} by {', '.join(programs)}")
    if told:
        yield note(
            "gpu-held-by-desktop",
            f"a desktop holds {'; '.join(told)}",
            "models get that much less, and vLLM's share of the whole card may no longer be free",
            "systemctl set-default multi-user.target, or leave that card to the desktop",
            uuids(gpus),
        )


def _foreign(case: Case) -> Iterator[Finding]:
    """Other programs on GPUs that instances of ours are placed on."""
    ours = {one.unit for one in case.volatile.placed}
    planned = {
        gpu.uuid for one in case.volatile.placed for uuid in one.gpus if (gpu := case.gpu(uuid))
    }
    told: list[str] = []
    gpus: dict[str, Gpu] = {}
    for one in case.volatile.gpu_processes:
        gpu = case.gpu(one.gpu)
        if gpu is None or gpu.uuid not in planned or one.unit in ours or one.program in _DESKTOP:
            continue
        memory = f", {one.memory_mib} MiB" if one.memory_mib is not None else ""
        unit = f" of {one.unit}" if one.unit else ""
        told.append(f"{one.program or 'process'} (PID {one.pid}{memory}){unit}")
        gpus[gpu.uuid] = gpu
    if told:
        yield note(
            "gpu-foreign-process",
            f"{gpus_named(case, gpus.values())}, which instances are placed on,"
            f" {verb(len(gpus), 'is', 'are')} used by {'; '.join(told)} too",
            "its memory is missing to the instances, which may fail to start again",
            "stop it, or give it a card of its own",
            tuple(gpus),
        )


def _orphaned(case: Case) -> Iterator[Finding]:
    """Memory that is held by no process that can be seen: left by one that was killed."""
    driver = case.driver("nvidia")
    if not case.bare_metal or driver is None or driver.source != "nvml":
        return  # nvidia-smi, containers and WSL do not list all processes
    held = {gpu.uuid for one in case.volatile.gpu_processes if (gpu := case.gpu(one.gpu))}
    left: list[tuple[Gpu, int]] = []
    for gpu in case.nvidia:
        now = case.now.get(gpu.uuid)
        used = now.memory_used_mib if now else None
        if used is None or gpu.mig or gpu.integrated or gpu.uuid in held or not gpu.memory_mib:
            continue
        if used > max(_ORPHAN_MIB, gpu.memory_mib * _ORPHAN_SHARE):
            left.append((gpu, used))
    if left:
        gpus = [gpu for gpu, _ in left]
        told = each([(gpu, gib(used)) for gpu, used in left])
        yield note(
            "gpu-memory-orphaned",
            f"memory of {gpus_named(case, gpus)} is in use and no process is listed ({told})",
            "a killed program may have left it, or one that the driver does not show holds it;"
            " models do without it",
            f"fuser -v /dev/nvidia* tells as root who has it open; nvidia-smi {only(case, gpus)}"
            " --gpu-reset once nobody does",
            uuids(gpus),
        )

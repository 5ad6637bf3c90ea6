"""The table of the NVML stand-in for a description: the driver of a machine that is not there."""

from __future__ import annotations

from typing import Any

from tests.standin.build import Slice, line, table_text

from .description import Description, Device

_MODELS = {
    "rtx3060": "3060",
    "rtx3090": "3090",
    "rtx4090": "4090",
    "rtx5090": "5090",
    "rtx-a6000": "a6000",
}
_P2P = {"OK": 0, "CNS": 1, "GNS": 2, "TNS": 3, "DR": 4, "NS": 5}
_PIX, _PXB, _PHB, _NODE, _SYS = 10, 20, 30, 40, 50  # nvmlGpuTopologyLevel_t
_LEVELS = {"PIX": _PIX, "PXB": _PXB, "PHB": _PHB, "NODE": _NODE, "SYS": _SYS}
_NOT_SERVED = ("none", "nouveau", "vfio-pci")


def nvidia_gpus(machine: Description) -> tuple[Device, ...]:
    """The GPUs that NVIDIA's driver serves, in the order of their addresses, as NVML counts."""
    return tuple(
        sorted(
            (
                one
                for one in machine.gpus
                if one.part.vendor == "10de" and one.option("driver") not in _NOT_SERVED
            ),
            key=lambda one: one.address,
        )
    )


def nvml_table(machine: Description) -> str | None:
    """The table; None where no driver is loaded: no `nvidia:` section."""
    told = machine.section("nvidia")
    if not told:
        return None
    gpus = nvidia_gpus(machine)
    pairs = [(a, b) for a in range(len(gpus)) for b in range(a + 1, len(gpus))]
    level = told.get("ancestors")
    seen = [one.address for one in machine.devices if one.name.startswith("nvswitch")]
    return table_text(
        [gpu.address for gpu in gpus],
        [_model(gpu, told, at) for at, gpu in enumerate(gpus)],
        ancestors={
            (a, b): _LEVELS[level] if level else ancestor(gpus[a], gpus[b]) for a, b in pairs
        },
        nvlinks={_pair(key): count for key, count in (told.get("nvlinks") or {}).items()},
        switch_links=told.get("nvswitch_links", 0),
        switches=seen or ["FFFFFFFF:FF:FF.0"],
        p2p=_P2P[told.get("p2p", "OK")],
        memory_nodes=told.get("memory_nodes", ()),
        slices=[_slice(one) for one in told.get("slices") or []],
        values={at: _values(gpu, told, at) for at, gpu in enumerate(gpus)},
        errors=[tuple(one) for one in told.get("errors") or []],
        version=told.get("driver", "580.95.05"),
        cuda=told.get("cuda", 13000),
        more=[line("process", **one) for one in told.get("processes") or []],
    )


def _model(gpu: Device, told: dict[str, Any], at: int) -> str:
    sliced = any(one["gpu"] == at for one in told.get("slices") or [])
    return _MODELS.get(gpu.name, gpu.name) + ("-mig" if sliced else "")


def _slice(told: dict[str, Any]) -> Slice:
    return Slice(told["gpu"], told["profile"], told["mib"], told["gi"], slot=told.get("slot"))


def _pair(key: str) -> tuple[int, int]:
    a, _, b = key.partition("-")
    return int(a), int(b)


def _values(gpu: Device, told: dict[str, Any], at: int) -> dict[str, object]:
    """What a GPU answers otherwise than its model: its link as plugged, then `all:` and `gpu:`."""
    above = gpu.above
    lanes = gpu.most_lanes if above is None else min(gpu.most_lanes, above.most_lanes)
    both = gpu.generation if above is None else min(gpu.generation, above.generation)
    now = int(gpu.option("now", "1" if gpu.part.quiet else str(both)))
    values: dict[str, object] = {
        "pcie_width": int(gpu.option("lanes", str(lanes))),
        "pcie_width_max": gpu.most_lanes,
        "pcie_generation": now,
        "pcie_generation_max": both,
        "pcie_generation_card": gpu.generation,
        "persistence": 1,
        "throttle": "0x1",
    }
    return {**values, **(told.get("all") or {}), **(told.get("gpu") or {}).get(at, {})}


def ancestor(a: Device, b: Device) -> int:
    """The level that NVML tells of two GPUs, by the last thing above both."""
    shared = [one for one, other in zip(a.way, b.way, strict=False) if one == other]
    if not shared:
        return _NODE if a.node == b.node else _SYS
    if len(shared) == 1:
        return _PHB
    bridges = max(len(a.way), len(b.way)) - len(shared)  # of either that the other has not
    return _PIX if bridges <= 1 else _PXB

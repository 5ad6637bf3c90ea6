"""Intel's GPUs from sysfs: what they are and do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...facts import Driver, Gpu, GpuLink, GpuNow, NumaNode, PciDevice
from ..gpus import GpusFound, Paths, slot
from ..processor.numa import nearest_cpu_node
from ..tree import Tree
from .card import (
    card_folder,
    celsius,
    device_folder,
    hwmon_folder,
    marketing_name,
    mib,
    number,
    render_node,
    size_bytes,
    watts,
)

_DRIVERS = ("i915", "xe")


def read_intel(
    tree: Tree, accelerators: Sequence[PciDevice], nodes: Sequence[NumaNode], paths: Paths
) -> GpusFound:
    """The GPUs that i915 or xe serves; those on the CPU's package are marked as integrated."""
    devices = sorted(
        (one for one in accelerators if one.vendor == "intel" and one.driver in _DRIVERS),
        key=lambda one: one.address,
    )
    if not devices:
        return GpusFound()
    gpus = tuple(_gpu(tree, at, device, nodes) for at, device in enumerate(devices))
    # A module of the kernel's own tree has no version file; Intel's DKMS packages' have.
    modules = sorted({device.driver for device in devices if device.driver})
    told = (tree.text(f"/sys/module/{module}/version") for module in modules)
    version = next((text for text in told if text), None)
    return GpusFound(
        driver=Driver("intel", version, module=version, source="sysfs"),
        gpus=gpus,
        links=tuple(
            GpuLink(one.uuid, two.uuid, paths.get((slot(one.address), slot(two.address))))
            for at, one in enumerate(gpus)
            for two in gpus[at + 1 :]
        ),
        now=tuple(_now(tree, gpu, device) for gpu, device in zip(gpus, devices, strict=True)),
    )


def _gpu(tree: Tree, index: int, device: PciDevice, nodes: Sequence[NumaNode]) -> Gpu:
    hwmon = hwmon_folder(tree, device, device.driver or "")
    memory = local_memory(tree, device)
    return Gpu(
        index=index,
        uuid=f"PCI-{device.address}",
        address=device.address,
        vendor="intel",
        name=marketing_name("Intel", device),
        memory_mib=mib(memory),
        numa_node=nearest_cpu_node(nodes, device.numa_node),
        local_cpus=device.local_cpus,
        power_default_watts=watts(tree, hwmon, "power1_rated_max", "power2_rated_max"),
        link=device.link,
        render_node=render_node(tree, device),
        integrated=is_integrated(device, memory),
    )


def local_memory(tree: Tree, device: PciDevice) -> int | None:
    """Bytes of the card's own memory, where a file tells them.

    xe has a file a tile (igt-gpu-tools reads it, not every kernel has it); i915 has one in
    Intel's DKMS package alone. The size of the memory's PCI window proves nothing: it is a power
    of two, or 256 MiB without resizable windows.
    """
    folder = device_folder(device)
    tiles = [name for name in tree.names(folder) if re.fullmatch("tile[0-9]{1,2}", name)]
    sizes = [
        size_bytes(tree, f"{folder}/{tile}/physical_vram_size_bytes")
        or size_bytes(tree, f"{folder}/{tile}/memory/physical_vram_size_bytes")
        for tile in tiles
    ]
    known = [size for size in sizes if size is not None]
    if known:
        return sum(known) if len(known) == len(sizes) else None
    card = card_folder(tree, device)
    return size_bytes(tree, f"{card}/lmem_total_bytes") if card else None


def is_integrated(device: PciDevice, memory: int | None) -> bool | None:
    """Whether a GPU is on the CPU's package: 00:02.0 on every Intel chip, without memory."""
    if memory is not None:
        return False
    if device.integrated is not None:
        return device.integrated
    place = device.address
    if (place.domain, place.bus, place.device) == (0, 0, 2):
        return True
    return False if device.bridges else None


def _now(tree: Tree, gpu: Gpu, device: PciDevice) -> GpuNow:
    driver = device.driver or ""
    hwmon = hwmon_folder(tree, device, driver)
    # xe numbers its sensors from 2, the package's, since 1 would be the whole card's.
    warm = ("temp2_input", "temp1_input") if driver == "xe" else ("temp1_input",)
    card = card_folder(tree, device)
    free = number(tree, f"{card}/lmem_avail_bytes") if card else None
    total = size_bytes(tree, f"{card}/lmem_total_bytes") if card else None
    return GpuNow(
        uuid=gpu.uuid,
        memory_used_mib=None if free is None or total is None else mib(max(total - free, 0)),
        power_limit_watts=watts(tree, hwmon, "power1_max", "power2_max"),
        power_draw_watts=watts(tree, hwmon, "power1_input"),
        temperature_c=celsius(tree, hwmon, *warm),
    )

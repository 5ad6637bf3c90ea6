"""AMD GPUs from sysfs and KFD: what they are and do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ...facts import Driver, Gpu, GpuNow, GpuProcess, NumaNode, PciDevice
from ...quantity import PciAddress
from ..gpus import GpusFound, Paths
from ..processor.numa import nearest_cpu_node
from ..tree import Tree
from .amd_links import read_gpu_links
from .card import (
    celsius,
    device_folder,
    hwmon_folder,
    marketing_name,
    megahertz,
    mib,
    number,
    render_node,
    size_bytes,
    watts,
)
from .kfd import Kfd, KfdNode, nodes_of, read_kfd, read_local_memory, read_processes

_LEAST_VRAM = 1 << 30  # bytes; amdgpu serves no card with less, but APUs that borrow 512 MiB
_MI300A = ("74a0",)  # an APU of data centres, whose memory is both the CPUs' and the GPU's


def read_amd(
    tree: Tree, accelerators: Sequence[PciDevice], nodes: Sequence[NumaNode], paths: Paths
) -> GpusFound:
    """The GPUs that amdgpu serves."""
    ours = [device for device in accelerators if device.vendor == "amd"]
    devices = sorted((one for one in ours if one.driver == "amdgpu"), key=lambda one: one.address)
    if not devices:
        return GpusFound(driver=_no_driver(tree, ours))
    kfd = read_kfd(tree)
    parts = nodes_of(kfd.nodes, (device.address for device in devices))
    uuids = _uuids(tree, devices, parts)
    gpus = tuple(
        _gpu(tree, at, uuids[device.address], device, parts[device.address], nodes)
        for at, device in enumerate(devices)
    )
    return GpusFound(
        driver=_driver(tree),
        gpus=gpus,
        links=read_gpu_links(tree, gpus, parts, paths),
        now=tuple(_now(tree, gpu, device) for gpu, device in zip(gpus, devices, strict=True)),
        processes=_processes(tree, gpus, parts),
        complaints=tuple(
            text for gpu in gpus for text in _complaints(gpu, kfd, parts[gpu.address])
        ),
    )


def _driver(tree: Tree) -> Driver:
    # A module of the kernel's own tree has no version file; AMD's DKMS package's has.
    version = tree.text("/sys/module/amdgpu/version") or None
    return Driver("amd", version, module=version, cuda=_rocm_version(tree), source="sysfs")


def _no_driver(tree: Tree, devices: Sequence[PciDevice]) -> Driver | None:
    """A word on cards that no driver serves; one that is given to a virtual machine is served."""
    idle = [str(one.address) for one in devices if one.driver is None and not one.integrated]
    if not idle:
        return None
    return Driver("amd", cuda=_rocm_version(tree), problem=f"amdgpu does not serve {idle[0]}")


def _rocm_version(tree: Tree) -> str | None:
    """ROCm's version by /opt/rocm, which points at the newest, or by the newest of its folders."""
    names = (name for name in tree.names("/opt") if re.fullmatch("rocm(-.*)?", name))
    told = {name: rocm_version(tree.text(f"/opt/{name}/.info/version") or "") for name in names}
    known = [version for version in told.values() if version]
    newest = max(known, key=lambda text: tuple(map(int, text.split("."))), default=None)
    return told.get("rocm") or newest


def rocm_version(text: str) -> str | None:
    """`6.2.4` of `6.2.4-139`."""
    match = re.match(r"[0-9]{1,3}\.[0-9]{1,3}(?:\.[0-9]{1,6})?", text)
    return match[0] if match else None


def _uuids(
    tree: Tree, devices: Sequence[PciDevice], parts: Mapping[PciAddress, Sequence[KfdNode]]
) -> dict[PciAddress, str]:
    """GPU-<unique_id> as ROCm writes it, or by the address where it is not told or not unique."""
    told: dict[PciAddress, str | None] = {}
    for device in devices:
        here = parts[device.address]
        file = tree.text(f"{device_folder(device)}/unique_id") or ""
        told[device.address] = uuid_of(file, here[0].unique_id if here else None)
    counts = Counter(told.values())
    return {
        address: uuid if uuid and counts[uuid] == 1 else f"PCI-{address}"
        for address, uuid in told.items()
    }


def uuid_of(unique_id: str, of_kfd: int | None) -> str | None:
    """A UUID of sysfs's unique_id (hexadecimal) or of KFD's; old and simple cards have none."""
    match = re.fullmatch("(?:0x)?([0-9a-fA-F]{1,16})", unique_id)
    value = (int(match[1], 16) if match else 0) or of_kfd
    return f"GPU-{value:016x}" if value else None


def _gpu(
    tree: Tree,
    index: int,
    uuid: str,
    device: PciDevice,
    parts: Sequence[KfdNode],
    nodes: Sequence[NumaNode],
) -> Gpu:
    folder = device_folder(device)
    hwmon = hwmon_folder(tree, device, "amdgpu")
    memory = size_bytes(tree, f"{folder}/mem_info_vram_total") or read_local_memory(tree, parts)
    first = parts[0] if parts else None
    render = render_node(tree, device)
    if render is None and first and first.render_minor:
        render = f"/dev/dri/renderD{first.render_minor}"
    return Gpu(
        index=index,
        uuid=uuid,
        address=device.address,
        vendor="amd",
        name=tree.text(f"{folder}/product_name") or marketing_name("AMD", device),
        serial=tree.text(f"{folder}/serial_number") or None,
        memory_mib=mib(memory),
        numa_node=nearest_cpu_node(nodes, device.numa_node),
        local_cpus=device.local_cpus,
        compute_capability=first.gfx if first else None,
        power_min_watts=watts(tree, hwmon, "power1_cap_min"),
        power_max_watts=watts(tree, hwmon, "power1_cap_max"),
        power_default_watts=watts(tree, hwmon, "power1_cap_default"),
        link=device.link,
        ecc=True if _uncorrected(tree, folder) is not None else None,
        vbios=tree.text(f"{folder}/vbios_version") or None,
        render_node=render,
        xgmi_hive=f"0x{first.hive:016x}" if first and first.hive else None,
        partition=partition_of(tree.text(f"{folder}/current_compute_partition") or ""),
        integrated=_integrated(tree, device, hwmon, parts, memory),
    )


def partition_of(text: str) -> str | None:
    """SPX, DPX, TPX, QPX or CPX; None where the card cannot be cut (no file, or UNKNOWN)."""
    return text if re.fullmatch("[SDTQC]PX", text) else None


def _integrated(
    tree: Tree, device: PciDevice, hwmon: str | None, parts: Sequence[KfdNode], memory: int | None
) -> bool | None:
    if any(part.cpu_cores for part in parts) or device.device_id in _MI300A:
        return True
    # amdgpu registers the voltage of a north bridge for APUs alone (hwmon_attributes_visible).
    if hwmon and tree.text(f"{hwmon}/in1_label") == "vddnb":
        return True
    if memory is None:
        return device.integrated
    return device.integrated or memory < _LEAST_VRAM


def _now(tree: Tree, gpu: Gpu, device: PciDevice) -> GpuNow:
    folder = device_folder(device)
    hwmon = hwmon_folder(tree, device, "amdgpu")
    return GpuNow(
        uuid=gpu.uuid,
        memory_used_mib=mib(number(tree, f"{folder}/mem_info_vram_used")),
        power_limit_watts=watts(tree, hwmon, "power1_cap"),
        power_draw_watts=watts(tree, hwmon, "power1_average", "power1_input"),
        # The edge of the chip; MI300 has no such sensor but the hottest place (junction).
        temperature_c=celsius(tree, hwmon, "temp1_input", "temp2_input"),
        utilization_percent=number(tree, f"{folder}/gpu_busy_percent", 100),
        clock_sm_mhz=megahertz(tree, hwmon, "freq1_input"),
        clock_sm_max_mhz=highest_clock(tree.text(f"{folder}/pp_dpm_sclk") or ""),
        clock_memory_mhz=megahertz(tree, hwmon, "freq2_input"),
        ecc_uncorrected=_uncorrected(tree, folder),
    )


def highest_clock(levels: str) -> int | None:
    """The highest of the levels of pp_dpm_sclk: `0: 132Mhz`, `1: 2100Mhz *`."""
    found = re.findall(r"(?m)^[0-9S]\d*: *([0-9]{1,6})M[Hh]z", levels)
    return max(map(int, found), default=None)


def _uncorrected(tree: Tree, folder: str) -> int | None:
    """Uncorrectable errors of the memory; newer kernels keep them in aca_umc."""
    old = tree.text(f"{folder}/ras/umc_err_count")
    return uncorrected_of(old if old is not None else tree.text(f"{folder}/ras/aca_umc") or "")


def uncorrected_of(text: str) -> int | None:
    """The `ue: 0` of a RAS counter."""
    match = re.search(r"(?m)^ue: *([0-9]{1,18})\s*$", text)
    return int(match[1]) if match else None


def _processes(
    tree: Tree, gpus: Sequence[Gpu], parts: Mapping[PciAddress, Sequence[KfdNode]]
) -> tuple[GpuProcess, ...]:
    """Processes by GPU; what one holds in several partitions of a GPU is added up."""
    owner = {part.gpu_id: gpu.index for gpu in gpus for part in parts[gpu.address] if part.gpu_id}
    held: Counter[tuple[int, int]] = Counter()
    for pid, gpu_id, size in read_processes(tree):
        if gpu_id in owner:
            held[owner[gpu_id], pid] += size
    return tuple(
        GpuProcess(gpus[index].uuid, pid, mib(size)) for (index, pid), size in sorted(held.items())
    )


def _complaints(gpu: Gpu, kfd: Kfd, parts: Sequence[KfdNode]) -> list[str]:
    """What amdgpu serves and yet cannot compute. Nodes that are hidden from us prove nothing."""
    who = f"AMD GPU {gpu.index} ({gpu.address})"
    said: list[str] = []
    if not parts and not kfd.hidden and not gpu.integrated:
        said.append(f"{who}: amdgpu serves it, but KFD does not know it, so ROCm cannot use it")
    if gpu.memory_mib is None and not gpu.integrated:
        said.append(f"{who}: amdgpu serves it, but tells no memory")
    return said

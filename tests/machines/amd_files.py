"""What amdgpu, i915 and xe add to the bus: DRM nodes, sensors, VRAM, and KFD's topology."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .cpu_files import Layout
from .description import Description, Device
from .host import Host

_KFD = "/sys/class/kfd/kfd/topology/nodes"


@dataclass(frozen=True)
class AmdModel:
    """What amdgpu and KFD tell of a kind of GPU. watts: cap now, least, most, default."""

    product: str  # product_name; empty: the card has no such record
    vram_mib: int
    gfx: int  # gfx_target_version
    simds: int
    watts: tuple[int, int, int, int] | None
    partition: str = ""
    apu: bool = False  # its sensors tell the voltage of a north bridge
    identity: bool = True  # has a unique_id
    ecc: bool = False


AMD_MODELS = {
    "mi300x": AmdModel(
        "AMD Instinct MI300X OAM", 196592, 90402, 1216, (750, 0, 750, 750), "SPX", ecc=True
    ),
    "rx7900xtx": AmdModel("", 24560, 110000, 192, (327, 303, 402, 327)),
    "raphael": AmdModel("", 512, 100306, 4, None, apu=True, identity=False),
}


def write_drm(host: Host, machine: Description) -> None:
    """DRM's nodes of every GPU, and what AMD's and Intel's drivers tell of theirs."""
    served = [one for one in machine.gpus if one.option("driver", one.part.driver) != "none"]
    for at, device in enumerate(served):
        folder = f"/sys/devices/{device.path}"
        for name in (f"card{at}", f"renderD{128 + at}"):
            host.file(f"{folder}/drm/{name}/dev", f"226:{at}\n")
            host.link(f"/sys/class/drm/{name}", f"../../devices/{device.path}/drm/{name}")
        if device.name in AMD_MODELS:
            _write_amd(host, device, AMD_MODELS[device.name], at, machine.section("amd"))
        elif device.part.vendor == "8086":
            _write_intel(host, device, at, machine.section("intel"))


def _write_amd(
    host: Host, device: Device, model: AmdModel, at: int, settings: dict[str, Any]
) -> None:
    folder = f"/sys/devices/{device.path}"
    files: dict[str, Any] = {
        "mem_info_vram_total": model.vram_mib << 20,
        "mem_info_vram_used": int(settings.get("used_mib", 283)) << 20,
        "gpu_busy_percent": 0,
        "pp_dpm_sclk": "0: 132Mhz *\n1: 2100Mhz",
        "vbios_version": "113-M3000100-102" if model.ecc else "113-EXT89203-001",
    }
    if model.identity:
        files["unique_id"] = f"{unique_id(device):016x}"
    if model.product:
        files["product_name"] = model.product
        files["serial_number"] = f"69233400{at:04d}"
    if model.partition:
        files["current_compute_partition"] = model.partition
        files["current_memory_partition"] = "NPS1"
    if model.ecc:
        files["ras/umc_err_count"] = "ue: 0\nce: 0\nde: 0"
    files |= {f"hwmon/hwmon{at + 4}/{name}": value for name, value in _sensors(model).items()}
    for name, value in files.items():
        host.file(f"{folder}/{name}", f"{value}\n")


def _sensors(model: AmdModel) -> dict[str, Any]:
    found: dict[str, Any] = {"name": "amdgpu", "freq1_input": 132_000_000}
    found["temp2_input" if model.ecc else "temp1_input"] = 38_000
    if model.apu:
        found |= {"in1_label": "vddnb", "power1_average": 21_000_000}
    if model.watts:
        names = ("power1_cap", "power1_cap_min", "power1_cap_max", "power1_cap_default")
        found |= {name: watts * 1_000_000 for name, watts in zip(names, model.watts, strict=True)}
        found["power1_input" if model.ecc else "power1_average"] = (
            140_000_000 if model.ecc else 19_000_000
        )
    return found


def _write_intel(host: Host, device: Device, at: int, settings: dict[str, Any]) -> None:
    folder = f"/sys/devices/{device.path}"
    sensors = {"name": "i915", "power1_max": 190_000_000, "power1_rated_max": 190_000_000}
    for name, value in sensors.items():
        host.file(f"{folder}/hwmon/hwmon{at + 4}/{name}", f"{value}\n")
    if "vram_mib" in settings:
        size = int(settings["vram_mib"]) << 20
        host.file(f"{folder}/drm/card{at}/lmem_total_bytes", f"{size}\n")
        host.file(f"{folder}/drm/card{at}/lmem_avail_bytes", f"{size - (96 << 20)}\n")


def unique_id(device: Device) -> int:
    """A 64-bit identity, always the same for an address."""
    seed = sum(ord(letter) << (at % 6) * 8 for at, letter in enumerate(device.address))
    return 0x21B6_0000_0000_0000 | seed


def write_kfd(host: Host, machine: Description, layout: Layout) -> None:
    """KFD's nodes: one for the CPUs of each NUMA node, then the GPUs with their links."""
    gpus = [one for one in machine.gpus if one.part.driver == "amdgpu"]
    gpus = [one for one in gpus if one.option("driver") not in ("none", "vfio-pci")]
    if not gpus:
        return
    cpus = [node.id for node in machine.nodes if layout.nodes[node.id]]
    for number, node in enumerate(cpus):
        host.file(f"{_KFD}/{number}/gpu_id", "0\n")
        lines = [f"cpu_cores_count {len(layout.nodes[node])}", "simd_count 0", "location_id 0"]
        host.lines(f"{_KFD}/{number}/properties", lines)
    hive = 0x9E1F_7A3C_0000_0001 if machine.section("amd").get("xgmi") else 0
    numbers = {gpu.address: len(cpus) + at for at, gpu in enumerate(gpus)}
    for gpu in gpus:
        number = numbers[gpu.address]
        _write_kfd_gpu(host, gpu, number, hive)
        home = cpus.index(gpu.node) if gpu.node in cpus else 0
        _write_link(host, number, home, "io_links", 0, {"type": 2, "weight": 20})
        others = [other for other in gpus if other is not gpu]
        for at, other in enumerate(others):
            kind, told = ("p2p_links", {"type": 2, "weight": 40})
            if hive:
                kind, told = "io_links", {
                    "type": 11, "weight": 15, "min_bandwidth": 64000, "max_bandwidth": 64000,
                }  # fmt: skip
            _write_link(host, number, numbers[other.address], kind, at + 1, told)
        if hive or not others:
            (host.root / f"{_KFD}/{number}/p2p_links".lstrip("/")).mkdir()
    if "driver" in machine.section("amd"):  # that of AMD's own package; the kernel's has no number
        host.file("/sys/module/amdgpu/version", f"{machine.section('amd')['driver']}\n")
    if "rocm" in machine.section("amd"):
        host.file("/opt/rocm/.info/version", f"{machine.section('amd')['rocm']}\n")


def _write_kfd_gpu(host: Host, gpu: Device, number: int, hive: int) -> None:
    model = AMD_MODELS[gpu.name]
    domain, bus, slot = gpu.address.split(":")
    place = int(bus, 16) << 8 | int(slot.partition(".")[0], 16) << 3
    told = {
        "cpu_cores_count": 0,
        "simd_count": model.simds,
        "gfx_target_version": model.gfx,
        "vendor_id": int(gpu.part.vendor, 16),
        "device_id": int(gpu.part.device, 16),
        "location_id": place,
        "domain": int(domain, 16),
        "drm_render_minor": 127 + number,
        "hive_id": hive,
        "unique_id": unique_id(gpu) if model.identity else 0,
    }
    host.file(f"{_KFD}/{number}/gpu_id", f"{28000 + number}\n")
    host.lines(f"{_KFD}/{number}/properties", [f"{name} {value}" for name, value in told.items()])
    bank = [f"heap_type {0 if model.apu else 1}", f"size_in_bytes {model.vram_mib << 20}"]
    host.lines(f"{_KFD}/{number}/mem_banks/0/properties", bank)


def _write_link(host: Host, start: int, end: int, kind: str, at: int, told: dict[str, int]) -> None:
    lines = {"node_from": start, "node_to": end, "flags": 1, **told}
    host.lines(
        f"{_KFD}/{start}/{kind}/{at}/properties",
        [f"{name} {value}" for name, value in lines.items()],
    )

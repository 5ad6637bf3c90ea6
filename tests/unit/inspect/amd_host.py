"""A builder of AMD GPUs as amdgpu and KFD lay them out."""

from __future__ import annotations

from pathlib import Path

from provision.host.facts import NumaNode, PathClass, PciDevice
from provision.host.inspect.drm.amd import read_amd
from provision.host.inspect.gpus import GpusFound, Slot, slot
from provision.host.quantity import CpuSet, PciAddress

from .tree import Machine

NODES = (
    NumaNode(0, CpuSet.parse("0-47"), 770000, {0: 10, 1: 32}, nearest=0),
    NumaNode(1, CpuSet.parse("48-95"), 770000, {0: 32, 1: 10}, nearest=1),
)
_KFD = "/sys/class/kfd/kfd/topology/nodes"


class AmdHost(Machine):
    """Two sockets with AMD GPUs."""

    def card(self, address: str, **files: str) -> None:
        """A device's own files; a double underscore stands for a folder: ras__umc_err_count."""
        for name, text in files.items():
            self.file(f"/sys/bus/pci/devices/{address}/{name.replace('__', '/')}", f"{text}\n")

    def sensors(self, address: str, number: int, **files: str | int) -> None:
        folder = f"/sys/bus/pci/devices/{address}/hwmon/hwmon{number}"
        for name, text in {"name": "amdgpu", **files}.items():
            self.file(f"{folder}/{name}", f"{text}\n")

    def kfd_cpus(self, number: int, cores: int) -> None:
        self.file(f"{_KFD}/{number}/gpu_id", "0\n")
        self.file(
            f"{_KFD}/{number}/properties", f"cpu_cores_count {cores}\nsimd_count 0\nlocation_id 0\n"
        )

    def kfd_gpu(self, number: int, location: int, gfx: int = 90402, **told: int) -> None:
        """A node of a GPU; gpu_id is 1000 and its number."""
        lines = {
            "cpu_cores_count": 0,
            "simd_count": 1216,
            "gfx_target_version": gfx,
            "location_id": location,
            "domain": 0,
            "drm_render_minor": 127 + number,
            **told,
        }
        self.file(f"{_KFD}/{number}/gpu_id", f"{1000 + number}\n")
        text = "".join(f"{name} {value}\n" for name, value in lines.items())
        self.file(f"{_KFD}/{number}/properties", text)

    def kfd_bank(self, number: int, bank: int, heap: int, size: int) -> None:
        self.file(
            f"{_KFD}/{number}/mem_banks/{bank}/properties",
            f"heap_type {heap}\nsize_in_bytes {size}\nflags 0\nwidth 8192\n",
        )

    def kfd_link(self, start: int, end: int, *, peer: bool = False, **told: int) -> None:
        """An io_link (XGMI of one hop unless told otherwise), or one of p2p_links."""
        kind = "p2p_links" if peer else "io_links"
        lines = {
            "type": 11,
            "node_from": start,
            "node_to": end,
            "weight": 15,
            "flags": 1,
            **told,
        }
        text = "".join(f"{name} {value}\n" for name, value in lines.items())
        self.file(f"{_KFD}/{start}/{kind}/{end}/properties", text)

    def no_peers(self, number: int) -> None:
        """A kernel that tells ways over PCIe, of which there are none."""
        (self.root / f"{_KFD}/{number}/p2p_links".lstrip("/")).mkdir(parents=True)

    def read(
        self, *devices: PciDevice, paths: dict[tuple[str, str], PathClass] | None = None
    ) -> GpusFound:
        """read_amd's answer."""
        by_slot: dict[tuple[Slot, Slot], PathClass] = {}
        for (one, two), way in (paths or {}).items():
            a, b = slot(PciAddress.parse(one)), slot(PciAddress.parse(two))
            by_slot[a, b] = by_slot[b, a] = way
        return read_amd(self.tree, devices, NODES, by_slot)


def amd(address: str, node: int | None = 0) -> PciDevice:
    """An MI300X that amdgpu serves; tests replace what is otherwise."""
    return PciDevice(
        address=PciAddress.parse(address),
        vendor_id="1002",
        device_id="74a1",
        class_code="1200",
        vendor="amd",
        driver="amdgpu",
        numa_node=node,
    )


def mi300(root: Path) -> AmdHost:
    """Two MI300X in one hive, below different sockets."""
    host = AmdHost(root)
    host.kfd_cpus(0, 48)
    host.kfd_cpus(1, 48)
    for at, (address, location) in enumerate((("0000:05:00.0", 0x0500), ("0000:65:00.0", 0x6500))):
        host.kfd_gpu(2 + at, location, hive_id=99, unique_id=2001 + at)
        host.card(
            address,
            mem_info_vram_total=str(196592 << 20),
            mem_info_vram_used=str(300 << 20),
            unique_id=f"{0x21B6D61638A86F8C + at:016x}",
            product_name="AMD Instinct MI300X OAM",
            serial_number=f"69233400{at}",
            vbios_version="113-M3000100-102",
            current_compute_partition="SPX",
            gpu_busy_percent="7",
            ras__umc_err_count="ue: 2\nce: 5\nde: 0",
            drm__renderD128__dev="226:128",
            drm__card1__dev="226:1",
            pp_dpm_sclk="0: 132Mhz *\n1: 2100Mhz",
        )
        host.sensors(
            address,
            5 + at,
            power1_cap=700_000_000,
            power1_cap_min=0,
            power1_cap_max=750_000_000,
            power1_cap_default=750_000_000,
            power1_input=142_000_000,
            temp2_input=41_000,
            freq1_input=132_000_000,
            freq2_input=900_000_000,
        )
        host.kfd_link(2 + at, 3 - at, min_bandwidth=64000, max_bandwidth=64000)
        host.kfd_link(2 + at, at, type=2, weight=20)
    host.file("/opt/rocm/.info/version", "6.2.4-139\n")
    host.file("/sys/module/amdgpu/version", "6.8.5\n")
    return host

"""A builder of small sysfs and procfs trees, laid out as the kernel does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from provision.host.inspect.tree import Tree


@dataclass(frozen=True)
class Machine:
    """A recorded tree in the making, below a temporary folder."""

    root: Path

    @property
    def tree(self) -> Tree:
        return Tree(self.root)

    def file(self, path: str, text: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def data(self, path: str, content: bytes) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def link(self, path: str, target: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def cpus(self, online: str, cores: dict[int, str], packages: dict[int, int]) -> None:
        """cpu/online, and of each CPU its siblings as a list and its physical_package_id."""
        self.file("/sys/devices/system/cpu/online", online + "\n")
        for cpu, siblings in cores.items():
            folder = f"/sys/devices/system/cpu/cpu{cpu}/topology"
            self.file(f"{folder}/thread_siblings_list", siblings + "\n")
            self.file(f"{folder}/physical_package_id", f"{packages.get(cpu, 0)}\n")

    def node(self, number: int, cpus: str, mib: int, distance: str) -> None:
        folder = f"/sys/devices/system/node/node{number}"
        self.file(f"{folder}/cpulist", cpus + "\n")
        self.file(f"{folder}/distance", distance + "\n")
        meminfo = f"Node {number} MemTotal:       {mib * 1024} kB\nNode {number} MemFree: 12 kB\n"
        self.file(f"{folder}/meminfo", "\n" + meminfo)

    def memory(self, mib: int) -> None:
        self.file("/proc/meminfo", f"MemTotal:       {mib * 1024} kB\nMemFree:         1 kB\n")

    def pci(
        self,
        path: str,
        ids: tuple[str, str, str],
        *,
        numa_node: int | None = None,
        driver: str | None = None,
        config: bytes | None = None,
        interfaces: Sequence[str] = (),
        lanes: tuple[int, int] | None = None,
        speeds: tuple[float, float] = (2.5, 16.0),
        **files: str,
    ) -> None:
        """A device at its path below /sys/devices; ids: class, vendor, device without 0x.

        lanes: in use and at most; speeds: GT/s now and at most, of a device with lanes.
        """
        folder, address = f"/sys/devices/{path}", path.rpartition("/")[2]
        for name, value in zip(("class", "vendor", "device"), ids, strict=True):
            self.file(f"{folder}/{name}", f"0x{value}\n")
        if numa_node is not None:
            self.file(f"{folder}/numa_node", f"{numa_node}\n")
        if lanes is not None:
            for at, word in enumerate(("current", "max")):
                self.file(f"{folder}/{word}_link_width", f"{lanes[at]}\n")
                self.file(f"{folder}/{word}_link_speed", f"{speeds[at]:.1f} GT/s PCIe\n")
        for name, value in files.items():
            self.file(f"{folder}/{name}", value + "\n")
        if driver:
            self.link(f"{folder}/driver", f"/sys/bus/pci/drivers/{driver}")
        if config is not None:
            self.data(f"{folder}/config", config)
        for name in interfaces:
            self.file(f"{folder}/net/{name}/mtu", "1500\n")
        self.link(f"/sys/bus/pci/devices/{address}", f"../../../devices/{path}")

    def process(self, pid: int, name: str, cgroup: str, *sockets: int) -> None:
        self.file(f"/proc/{pid}/comm", name + "\n")
        self.file(f"/proc/{pid}/cgroup", cgroup + "\n")
        for at, inode in enumerate(sockets):
            self.link(f"/proc/{pid}/fd/{at + 3}", f"socket:[{inode}]")


ROOT_PORT, UPSTREAM, DOWNSTREAM, TO_PCI = 4, 5, 6, 7  # types of PCIe ports


def port_config(kind: int | None, acs: int | None = None, size: int = 4096) -> bytes:
    """Configuration space of a bridge: its PCIe port type, and its ACS control bits.

    kind None: a conventional bridge; acs None: a port without the capability. As in real ones
    other capabilities come before these in both lists.
    """
    space = bytearray(4096)
    space[0:4] = bytes.fromhex("001030c0")
    space[0x06] = 0x10  # status: there is a list of capabilities
    space[0x0E] = 1  # header of a bridge
    space[0x34] = 0x40
    space[0x40:0x42] = bytes((0x01, 0x00 if kind is None else 0x68))  # power management
    if kind is not None:
        space[0x68:0x6C] = bytes((0x10, 0x00, kind << 4 | 2, 0x01))
    first = 0x0001 | 1 << 16 | (0xF24 if acs is not None else 0) << 20  # error reporting
    space[0x100:0x104] = first.to_bytes(4, "little")
    if acs is not None:
        space[0xF24:0xF2C] = (0x0D | 1 << 16 | 0x5F << 32 | acs << 48).to_bytes(8, "little")
    return bytes(space[:size])


def two_sockets(root: Path) -> Machine:
    """2 sockets, 2 nodes, 4 cores of 2 threads, numbered in turn as some firmware does."""
    machine = Machine(root)
    siblings = {cpu: f"{cpu % 4},{cpu % 4 + 4}" for cpu in range(8)}
    machine.cpus("0-7", siblings, {cpu: cpu % 2 for cpu in range(8)})
    machine.node(0, "0,2,4,6", 65536, "10 21")
    machine.node(1, "1,3,5,7", 64512, "21 10")
    machine.memory(130000)
    return machine

"""A builder of small sysfs and procfs trees, laid out as the kernel does it."""

from __future__ import annotations

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
        **files: str,
    ) -> None:
        """A device at its path below /sys/devices; ids: class, vendor, device without 0x."""
        folder, address = f"/sys/devices/{path}", path.rpartition("/")[2]
        for name, value in zip(("class", "vendor", "device"), ids, strict=True):
            self.file(f"{folder}/{name}", f"0x{value}\n")
        if numa_node is not None:
            self.file(f"{folder}/numa_node", f"{numa_node}\n")
        for name, value in files.items():
            self.file(f"{folder}/{name}", value + "\n")
        if driver:
            self.link(f"{folder}/driver", f"/sys/bus/pci/drivers/{driver}")
        self.link(f"/sys/bus/pci/devices/{address}", f"../../../devices/{path}")

    def process(self, pid: int, name: str, cgroup: str, *sockets: int) -> None:
        self.file(f"/proc/{pid}/comm", name + "\n")
        self.file(f"/proc/{pid}/cgroup", cgroup + "\n")
        for at, inode in enumerate(sockets):
            self.link(f"/proc/{pid}/fd/{at + 3}", f"socket:[{inode}]")


def two_sockets(root: Path) -> Machine:
    """2 sockets, 2 nodes, 4 cores of 2 threads, numbered in turn as some firmware does."""
    machine = Machine(root)
    siblings = {cpu: f"{cpu % 4},{cpu % 4 + 4}" for cpu in range(8)}
    machine.cpus("0-7", siblings, {cpu: cpu % 2 for cpu in range(8)})
    machine.node(0, "0,2,4,6", 65536, "10 21")
    machine.node(1, "1,3,5,7", 64512, "21 10")
    machine.memory(130000)
    return machine

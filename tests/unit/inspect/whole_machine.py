"""A synthetic GPU server with everything on it that inspection reads, and a name on every part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from provision.host.inspect.nvidia.answers import (
    NvmlAnswers,
    NvmlGpu,
    NvmlLink,
    NvmlMig,
    NvmlPair,
    NvmlProcess,
)
from provision.host.inspect.source import Names, Room, Source
from provision.host.quantity import CpuSet
from provision.host.run import Ran

from .tree import Machine, two_sockets

HOST = "rack7-gpu03"
UUIDS = ("GPU-8f3a1c52-77d0-4b1e-9c35-0a4d1e6fb201", "GPU-51e09bd4-2c6f-47aa-8e10-9b7c3fd2a602")
MIG = "MIG-3c9e0f11-5d27-5a43-b7f1-6f20c8de4403"
SERIAL = "1652823055914"
AMD_ID = 0xD1C3A5E79B024681
MAC = "b8:ce:f6:3a:91:4d"
ADDRESS = "192.168.41.17"
USER = "marguerite"
MODEL = f"/home/{USER}/models/tiny.gguf"

_GPU = ("030200", "10de", "2330")
_AMD = ("038000", "1002", "740f")
_NIC = ("020000", "15b3", "1021")
_PORT = ("060400", "8086", "347a")
_SWITCH = ("060400", "1000", "c030")
_LINK = {
    "max_link_speed": "32.0 GT/s PCIe",
    "current_link_speed": "16.0 GT/s PCIe",
    "max_link_width": "16",
    "current_link_width": "16",
}


def whole_machine(root: Path) -> Machine:
    """2 sockets, 2 nodes; two NVIDIA GPUs, one AMD GPU, a NIC; processes, mounts, files."""
    machine = two_sockets(root)
    _bus(machine)
    _kfd(machine)
    _kernel(machine)
    _processes(machine)
    _etc(machine)
    return machine


def _device(machine: Machine, path: str, ids: tuple[str, str, str], node: int, driver: str) -> None:
    machine.pci(path, ids, numa_node=node, driver=driver)
    cpus = "0,2,4,6" if node == 0 else "1,3,5,7"
    for name, value in {**_LINK, "local_cpulist": cpus}.items():
        machine.file(f"/sys/devices/{path}/{name}", f"{value}\n")


def _bus(machine: Machine) -> None:
    for root, node, port in ((0x16, 0, 1), (0x97, 1, 2)):
        top = f"pci0000:{root:02x}/0000:{root:02x}:0{port}.0"
        switch = f"{top}/0000:{root + 1:02x}:00.0"
        gpu = f"{switch}/0000:{root + 2:02x}:00.0"
        _device(machine, top, _PORT, node, "pcieport")
        _device(machine, switch, _SWITCH, node, "pcieport")
        _device(machine, gpu, _GPU, node, "nvidia")
        machine.file(f"/sys/devices/{gpu}/subsystem_vendor", "0x10de\n")
    nic = "pci0000:16/0000:16:03.0/0000:1c:00.0"
    _device(machine, nic, _NIC, 0, "mlx5_core")
    machine.file(f"/sys/devices/{nic}/net/enx{MAC.replace(':', '')}/address", f"{MAC}\n")
    machine.file(f"/sys/devices/{nic}/infiniband/mlx5_0/node_guid", "b8ce:f603:003a:914c\n")
    amd = "pci0000:97/0000:97:04.0/0000:9b:00.0"
    _device(machine, amd, _AMD, 1, "amdgpu")
    machine.file(f"/sys/devices/{amd}/unique_id", f"{AMD_ID:016x}\n")
    machine.file(f"/sys/devices/{amd}/mem_info_vram_total", f"{64 << 30}\n")
    machine.file(f"/sys/devices/{amd}/mem_info_vram_used", f"{1 << 30}\n")
    machine.file(f"/sys/devices/{amd}/serial_number", "69200A11B7\n")
    for name, value in (("", 200), ("_default", 250), ("_max", 300), ("_min", 100)):
        file = f"/sys/devices/{amd}/hwmon/hwmon3/power1_cap{name}"
        machine.file(file, f"{value}000000\n")
    machine.file(f"/sys/devices/{amd}/hwmon/hwmon3/name", "amdgpu\n")


def _kfd(machine: Machine) -> None:
    nodes = "/sys/class/kfd/kfd/topology/nodes"
    for number, cores in ((0, 4), (1, 4)):
        machine.file(f"{nodes}/{number}/properties", f"cpu_cores_count {cores}\nsimd_count 0\n")
        machine.file(f"{nodes}/{number}/gpu_id", "0\n")
    machine.file(
        f"{nodes}/2/properties",
        "cpu_cores_count 0\nsimd_count 416\ngfx_target_version 90010\ndrm_render_minor 129\n"
        f"domain 0\nlocation_id {0x9B00}\nunique_id {AMD_ID}\nhive_id {AMD_ID ^ 0x77}\n",
    )
    machine.file(f"{nodes}/2/gpu_id", "51110\n")
    machine.file(f"{nodes}/2/mem_banks/0/properties", f"heap_type 1\nsize_in_bytes {64 << 30}\n")
    machine.file(
        f"{nodes}/2/io_links/0/properties", "type 2\nnode_from 2\nnode_to 1\nweight 20\nflags 1\n"
    )


def _kernel(machine: Machine) -> None:
    for node in (0, 1):
        machine.file(
            f"/sys/devices/system/node/node{node}/meminfo",
            f"Node {node} MemTotal: 66000000 kB\nNode {node} MemFree: 31000000 kB\n",
        )
    machine.file(
        "/proc/meminfo",
        "MemTotal:  132644864 kB\nMemFree: 9000001 kB\nMemAvailable: 98000001 kB\n"
        "SwapTotal: 2097152 kB\nSwapFree: 1048576 kB\nCommitted_AS: 7340032 kB\n"
        "CommitLimit: 68419584 kB\nHugepagesize: 2048 kB\n",
    )
    machine.file(
        "/proc/cpuinfo",
        "".join(f"processor\t: {cpu}\nmodel name\t: AMD EPYC 7302\n\n" for cpu in range(8)),
    )
    machine.link("/proc/self", "4242")
    machine.file(
        "/proc/4242/status", "Name:\tpython3\nCpus_allowed_list:\t0-7\nMems_allowed_list:\t0-1\n"
    )
    machine.file("/proc/4242/cgroup", "0::/user.slice/user-1000.slice/session-3.scope\n")
    machine.file(
        "/proc/4242/mounts",
        "/dev/nvme0n1p2 / ext4 rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
        f"nas-02.lab.example:/export/models /srv/models nfs4 rw,addr={ADDRESS} 0 0\n"
        "tmpfs /dev/shm tmpfs rw 0 0\n",
    )
    machine.file(
        "/proc/4242/mountinfo",
        "25 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n"
        "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        f"31 25 0:50 / /srv/models rw - nfs4 nas-02.lab.example:/export/models rw,addr={ADDRESS}\n"
        "32 25 0:23 / /dev/shm rw - tmpfs tmpfs rw\n",
    )
    machine.link("/proc/mounts", "self/mounts")
    machine.file(
        "/proc/cmdline",
        "BOOT_IMAGE=/vmlinuz root=UUID=7be1c3f5-9a00-4d0c-8d57-2f40b1a9ce04 iommu=pt quiet\n",
    )
    machine.file("/proc/modules", "nvidia 97861632 3 - Live 0xffffffffc0a31000 (OE)\n")
    machine.file("/proc/sys/kernel/hostname", f"{HOST}\n")
    machine.file("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
    machine.file("/proc/sys/kernel/numa_balancing", "1\n")
    machine.file("/proc/sys/vm/swappiness", "60\n")
    machine.file("/proc/sys/vm/overcommit_memory", "1\n")
    machine.file("/proc/sys/fs/file-max", "9223372\n")
    machine.file("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
    machine.file(
        "/proc/driver/nvidia/version",
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23 2025\n",
    )


def _processes(machine: Machine) -> None:
    machine.link("/proc/net", "self/net")
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    line = "   {}: {}:{:04X} {}:0000 {} 00000000:00000000 00:00000000 00000000  998 0 {} 1\n"
    octets = bytes(map(int, ADDRESS.split(".")))
    own, far = octets[::-1].hex().upper(), "0505A8C0"
    machine.file(
        "/proc/4242/net/tcp",
        head
        + line.format(0, "0100007F", 11434, "00000000", "0A", 70001)
        + line.format(1, own, 8000, "00000000", "0A", 70002)
        + line.format(2, own, 8000, far, "01", 70003),
    )
    machine.process(900, "ollama", "0::/system.slice/ollama.service", 70001)
    machine.process(901, "nginx", "0::/system.slice/nginx.service", 70002, 70003)
    machine.link("/proc/901/fd/9", f"/home/{USER}/diary.txt")
    machine.file("/proc/901/environ", "API_KEY=sk-hidden-1\0")
    machine.file("/proc/901/cmdline", "nginx\0--token=sk-hidden-2\0")
    machine.file("/proc/1/cgroup", "0::/init.scope\n")


def _etc(machine: Machine) -> None:
    machine.file("/etc/os-release", 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n')
    machine.file(
        "/etc/passwd",
        f"root:x:0:0:root:/root:/bin/bash\n{USER}:x:1000:1000:{USER}:/home/{USER}:/bin/bash\n"
        "ollama:x:998:998::/usr/share/ollama:/bin/false\n",
    )
    machine.file("/etc/machine-id", "6d0c2f4be8aa4c19b3d57f1e90a2c485\n")
    machine.file("/etc/llm/keys", "sk-hidden-3\n")
    machine.file("/sys/class/dmi/id/sys_vendor", "Supermicro\n")
    machine.file("/sys/class/dmi/id/product_name", "AS-4124GS-TNR\n")
    machine.file("/sys/class/dmi/id/product_serial", "S411795X2B04517\n")
    state = (
        '{"version": 1, "bundle": {"artifacts": [{"content": "sk-hidden-4"}]}, "placements": '
        '[{"instance": "chat.0", "engine": "ollama", "unit": "ollama.service", '
        f'"gpus": ["{UUIDS[0]}"], "nodes": [0], "cpus": "0,2", "port": 11434, "ports": [11434]}}]}}'
    )
    machine.file("/var/lib/provision/state.json", state)


@dataclass(frozen=True)
class Told(Source):
    """A tree, and the answers of programs and drivers that a tree cannot give."""

    nvml: NvmlAnswers | None = None
    outputs: dict[str, str] = field(default_factory=dict)  # by program

    def run(self, argv: Sequence[str], timeout: float = 10) -> Ran:
        del timeout
        out = self.outputs.get(argv[0].rpartition("/")[2])
        return Ran(tuple(argv), 127, "", "") if out is None else Ran(tuple(argv), 0, out, "")

    def which(self, program: str) -> str | None:
        return f"/usr/bin/{program}" if program in self.outputs else None

    def names_of_system(self) -> Names | None:
        return Names(HOST, "6.1.0-18-amd64", "x86_64")

    def room(self, path: str) -> Room | None:
        return Room(900 << 30, 400 << 30) if self.status(path) else None

    def may_read(self, path: str) -> bool | None:
        return True if self.status(path) else None

    def may_trust(self, path: str) -> bool:
        return self.is_file(path)

    def ask_nvml(self) -> NvmlAnswers | None:
        return self.nvml


def told(root: Path) -> Told:
    """The whole machine with its driver and programs."""
    outputs = {
        "systemctl": "Id=nginx.service\nLoadState=loaded\nActiveState=active\nMainPID=901\n",
        "nvidia-smi": f"    Serial Number : {SERIAL}\n    GPU UUID : {UUIDS[0]}\n"
        "    GPU PDI : 0x3f9d20c61ab5e748\n"
        f"        Name              : /home/{USER}/bin/python --key=sk-hidden-5\n",
        "lspci": f"1c:00.0 Ethernet\n\t[SN] Serial number: MT2116X09411\n\tnode {HOST} {ADDRESS}\n"
        "\tCapabilities: [148 v1] Device Serial Number b8-ce-f6-ff-ff-3a-91-4c\n",
    }
    return Told(root, nvml=answers(), outputs=outputs)


def answers() -> NvmlAnswers:
    """Two GPUs joined by NVLink, one of them with a MIG slice."""
    gpus = tuple(
        NvmlGpu(
            index=at,
            uuid=UUIDS[at],
            bus=bus,
            name="NVIDIA H100 80GB HBM3",
            serial=SERIAL if at == 0 else "1652823055915",
            minor=at + 1,
            vbios="96.00.61.00.01",
            capability="9.0",
            memory_bytes=81559 << 20,
            used_bytes=1024 << 20,
            reserved_bytes=512 << 20,
            power_min=200_000,
            power_max=700_000,
            power_default=700_000,
            power_limit=650_000,
            power_enforced=650_000,
            power_draw=120_000,
            persistence=True,
            compute_mode=3,
            temperature=41,
            utilization=7,
            clock_sm=1980,
            clock_sm_max=1980,
            clock_memory=2619,
            throttle=4,
            pcie_generation=5,
            pcie_generation_max=5,
            pcie_generation_card=5,
            pcie_width=16,
            pcie_width_max=16,
            ecc=True,
            ecc_pending=True,
            ecc_uncorrected=3,
            ecc_uncorrected_total=4,
            remapped_correctable=1,
            remapped_uncorrectable=2,
            cpu_affinity=CpuSet.parse("0,2,4,6" if at == 0 else "1,3,5,7"),
            node_affinity=CpuSet.of([at]),
            mig=at == 1,
            mig_devices=(NvmlMig(MIG, "NVIDIA H100 80GB HBM3 MIG 1g.10gb", 9984 << 20, 7, 1),)
            if at
            else (),
            links=(NvmlLink(1, True, 4, 0, "00000000:99:00.0" if at == 0 else "00000000:18:00.0"),),
            processes=(NvmlProcess(900, 800 << 20),) if at == 0 else (),
        )
        for at, bus in enumerate(("00000000:18:00.0", "00000000:99:00.0"))
    )
    pair = NvmlPair(0, 1, ancestor=50, p2p=1, nvlink=1)
    return NvmlAnswers(version="580.95.05", cuda="13.0", gpus=gpus, pairs=(pair,))

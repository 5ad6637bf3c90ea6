"""/etc and /proc of a description: names, versions, memory, mounts, processes, sockets, State."""

from __future__ import annotations

import json
from typing import Any

from tests.standin.build import mig_uuid_of, uuid_of

from .cpu_files import Layout
from .description import Description
from .host import Host

# ID, VERSION_ID, PRETTY_NAME, systemd, Python
_SYSTEMS = {
    "ubuntu-22.04": ("ubuntu", "22.04", "Ubuntu 22.04.5 LTS", 249, "3.10"),
    "ubuntu-24.04": ("ubuntu", "24.04", "Ubuntu 24.04.3 LTS", 255, "3.12"),
    "debian-12": ("debian", "12", "Debian GNU/Linux 12 (bookworm)", 252, "3.11"),
    "rhel-9": ("rhel", "9.6", "Red Hat Enterprise Linux 9.6 (Plow)", 252, "3.11"),
    "fedora-42": ("fedora", "42", "Fedora Linux 42 (Server Edition)", 257, "3.13"),
}
_MODULES = {
    "nvidia": ("nvidia", "nvidia_uvm", "nvidia_modeset"),
    "nvidia-nvswitch": ("nvidia",),
    "amdgpu": ("amdgpu",),
    "i915": ("i915",),
    "mlx5_core": ("mlx5_core", "ib_core"),
}
_SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
STATE = "/var/lib/provision/state.json"
UPTIME = 92_400  # seconds


def write_system(host: Host, machine: Description, layout: Layout) -> None:
    told = machine.section("system")
    _write_names(host, machine.name, told)
    _write_kernel(host, machine, told)
    _write_memory(host, machine, told)
    _write_process_of_ours(host, machine, layout)
    _write_mounts(host, machine)
    if machine.section("nvidia"):
        version = machine.section("nvidia").get("driver", "580.95.05")
        text = f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {version}  Release Build"
        host.lines("/proc/driver/nvidia/version", [text, "GCC version:  gcc version 13.3.0"])
    for path, text in machine.section("files").items():
        host.file(path, text)
    if machine.told.get("state"):
        host.file(STATE, json.dumps({"placements": _placements(machine)}, indent=1) + "\n")


def _write_names(host: Host, name: str, told: dict[str, Any]) -> None:
    kind, version, pretty, systemd, python = _SYSTEMS[told["os"]]
    host.file("/etc/profile", "umask 022\n")
    host.file("/proc/uptime", f"{UPTIME}.08 {UPTIME * 60}.20\n")
    lines = [f"ID={kind}", f'VERSION_ID="{version}"', f'PRETTY_NAME="{pretty}"']
    host.lines("/etc/os-release", lines)
    host.file("/proc/sys/kernel/hostname", f"{told.get('hostname', name)}\n")
    host.file("/proc/sys/kernel/osrelease", f"{told['kernel']}\n")
    host.file("/proc/sys/kernel/arch", f"{told.get('arch', 'x86_64')}\n")
    maker, product = told["product"]
    host.file("/sys/devices/virtual/dmi/id/sys_vendor", f"{maker}\n")
    host.file("/sys/devices/virtual/dmi/id/product_name", f"{product}\n")
    host.file(f"/usr/lib/systemd/libsystemd-shared-{systemd}.so", "")
    host.link("/usr/bin/python3", f"python{python}")
    for program in (
        f"python{python}",
        "systemctl",
        "journalctl",
        "dmesg",
        *told.get("programs", ()),
    ):
        host.file(f"/usr/bin/{program}", "")
    host.data(_SECURE_BOOT, bytes((6, 0, 0, 0, told.get("secure_boot", 0))))
    apparmor = "Y" if kind in ("ubuntu", "debian") else "N"
    host.file("/sys/module/apparmor/parameters/enabled", f"{apparmor}\n")
    if kind in ("rhel", "fedora"):
        host.file("/sys/fs/selinux/enforce", "1\n")


def _write_kernel(host: Host, machine: Description, told: dict[str, Any]) -> None:
    host.file("/proc/cmdline", f"BOOT_IMAGE=/vmlinuz root=UUID=0 ro {told.get('cmdline', '')}\n")
    values = {
        "kernel/numa_balancing": told.get("numa_balancing", 0),
        "vm/overcommit_memory": 0,
        "vm/swappiness": told.get("swappiness", 60),
        "vm/zone_reclaim_mode": told.get("zone_reclaim_mode", 0),
        "fs/file-max": 9223372036854775807,
        "net/ipv4/ip_local_port_range": "32768\t60999",
    }
    for path, value in values.items():
        host.file(f"/proc/sys/{path}", f"{value}\n")
    host.file("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
    host.file("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
    drivers = {one.option("driver", one.part.driver) for one in machine.devices}
    modules = {module for driver in drivers for module in _MODULES.get(driver, ())}
    for module in sorted(modules):
        host.file(f"/sys/module/{module}/initstate", "live\n")
    host.lines("/proc/modules", [f"{module} 1 0 - Live 0x0" for module in sorted(modules)])


def _write_memory(host: Host, machine: Description, told: dict[str, Any]) -> None:
    total = sum(node.memory_mib for node in machine.nodes) * 1024
    swap = int(told.get("swap_gib", 0)) << 20
    values = {
        "MemTotal": total,
        "MemFree": int(total * 0.94),
        "MemAvailable": int(total * 0.96),
        "SwapTotal": swap,
        "SwapFree": swap,
        "CommitLimit": swap + total // 2,
        "Committed_AS": 6 << 20,
    }
    host.lines("/proc/meminfo", [f"{name + ':':<16}{kib} kB" for name, kib in values.items()])


def _write_process_of_ours(host: Host, machine: Description, layout: Layout) -> None:
    """/proc/self as an inspection by root on the console has it, and the other processes."""
    nodes = ",".join(str(node.id) for node in machine.nodes if node.memory_mib)
    lines = [f"Cpus_allowed_list:\t{layout.online}", f"Mems_allowed_list:\t{nodes}"]
    host.lines("/proc/self/status", lines)
    host.file("/proc/self/cgroup", "0::/user.slice/user-0.slice/session-1.scope\n")
    host.file("/proc/1/cgroup", "0::/init.scope\n")
    sockets: list[str] = []
    for one in machine.told.get("processes") or []:
        inodes = []
        for where in one.get("listens", ()):
            inodes.append(40000 + len(sockets))
            sockets.append(_socket(len(sockets), where, inodes[-1]))
        unit = one.get("unit", "session-1.scope")
        host.process(one["pid"], one["name"], f"0::/system.slice/{unit}", *inodes)
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid inode"
    host.lines("/proc/net/tcp", [head, *sockets])


def _socket(number: int, where: str, inode: int) -> str:
    """A line of /proc/net/tcp: the address is the bytes of IPv4 the other way round."""
    address, _, port = where.rpartition(":")
    place = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    zeros = "00000000:00000000 00:00000000 00000000"
    return f"{number:>4}: {place}:{int(port):04X} 00000000:0000 0A {zeros}   0        0 {inode} 1"


def _write_mounts(host: Host, machine: Description) -> None:
    plain, info = [], []
    for number, (point, one) in enumerate(mounts(machine).items()):
        options = one.get("options", "rw,relatime")
        plain.append(f"{one['source']} {point} {one['kind']} {options} 0 0")
        (host.root / point.lstrip("/")).mkdir(parents=True, exist_ok=True)
        above = 29 if number else 1
        info.append(
            f"{29 + number} {above} 0:{29 + number} / {point} {options} - {one['kind']}"
            f" {one['source']} rw"
        )
    host.lines("/proc/self/mounts", plain)
    host.lines("/proc/self/mountinfo", info)


def mounts(machine: Description) -> dict[str, dict[str, Any]]:
    """The mounts of `mounts:` and those that every system has; gib and free_gib are sizes."""
    memory = sum(node.memory_mib for node in machine.nodes)
    root = {"kind": "ext4", "source": "/dev/nvme0n1p2", "gib": 1832, "free_gib": 1210}
    found: dict[str, dict[str, Any]] = {
        "/": root,
        "/sys/fs/cgroup": {"kind": "cgroup2", "source": "cgroup2"},
        "/dev/shm": {"kind": "tmpfs", "source": "tmpfs", "mib": memory // 2},
    }
    return found | machine.section("mounts")


def _placements(machine: Description) -> list[dict[str, Any]]:
    """Placements of State; a GPU stands as `gpu@0000:41:00.0`, a slice as `mig@...#gi`."""
    found = []
    for one in machine.told["state"]:
        gpus = [_uuid(name) for name in one.get("gpus", ())]
        ports = one.get("ports", [one["port"]] if "port" in one else [])
        found.append(
            {
                "cpus": "",
                "nodes": [],
                "port": None,
                **one,
                "gpus": gpus,
                "ports": ports,
            }
        )
    return found


def _uuid(name: str) -> str:
    kind, _, place = name.partition("@")
    if kind == "gpu":
        return uuid_of(place)
    bus, _, instance = place.partition("#")
    return mig_uuid_of(bus, int(instance))

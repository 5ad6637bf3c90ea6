from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.facts import System
from provision.host.inspect.source import Source
from provision.host.inspect.system.product import meaning, product_of, read_product
from provision.host.inspect.system.system import (
    parse_cgroup_mounts,
    parse_meminfo_mib,
    parse_os_release,
    parse_port_range,
    parse_python_version,
    parse_systemd_version,
    read_system,
    systemd_of_library,
)
from provision.host.inspect.system.virtualization import (
    container_of_cgroup,
    container_of_root,
    has_hypervisor_flag,
    machine_of_clocks,
    machine_of_device_tree,
    machine_of_dmi,
    read_container,
    read_virtual_machine,
)

from .answers import Answers
from .tree import Machine

V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"
V1 = (
    "tmpfs /sys/fs/cgroup tmpfs ro 0 0\n"
    "cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n"
    "cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0\n"
)
HYBRID = V1 + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"


def test_a_recorded_system(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/etc/os-release", 'ID=ubuntu\nVERSION_ID="22.04"\nPRETTY_NAME="Ubuntu 22"\n')
    machine.file("/proc/version", "Linux version 5.15.0-91-generic (buildd@x) (gcc) #1 SMP\n")
    machine.file("/etc/hostname", "gpu-01\n")
    machine.file("/proc/self/mounts", V2)
    machine.file("/proc/sys/kernel/numa_balancing", "1\n")
    machine.file("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
    machine.file("/usr/lib/systemd/libsystemd-shared-249.so", "")
    machine.file("/usr/bin/python3.10", "")
    machine.file("/usr/bin/numactl", "")
    machine.link("/usr/bin/python3", "python3.10")
    machine.memory(1000)
    system = read_system(Source(machine.root))
    assert system.hostname == "gpu-01"
    assert system.kernel == "5.15.0-91-generic"
    assert system.distribution == "ubuntu 22.04"
    assert system.pretty_name == "Ubuntu 22"
    assert (system.systemd, system.cgroup, system.python) == (249, "v2", "/usr/bin/python3")
    assert (system.numactl, system.memory_mib) == ("/usr/bin/numactl", 1000)
    assert (system.numa_balancing, system.ephemeral_ports) == (1, (32768, 60999))
    assert (system.architecture, system.container, system.virtual_machine) == (None, None, None)
    assert (system.product, system.swap_mib) == (None, None)


def test_an_empty_tree_knows_only_its_name(tmp_path: Path) -> None:
    system = read_system(Source(tmp_path / "box"))
    assert system.hostname == "box"
    assert system == System("box")


def test_an_old_python_is_passed_over(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for name in ("python3.9", "python3.11"):
        machine.file(f"/usr/bin/{name}", "")
    machine.link("/usr/bin/python3", "/etc/alternatives/python3")
    machine.link("/etc/alternatives/python3", "/usr/bin/python3.9")
    assert read_system(Source(machine.root)).python == "/usr/bin/python3.11"


@pytest.mark.parametrize("path", ["/run/.containerenv", "/.dockerenv"])
def test_containers_by_their_marks(tmp_path: Path, path: str) -> None:
    machine = Machine(tmp_path)
    machine.file(path, "")
    told = read_system(Source(machine.root)).container
    assert told == ("docker" if "docker" in path else "podman")
    machine.file("/run/systemd/container", "lxc\n")
    assert read_system(Source(machine.root)).container == "lxc"


@pytest.mark.parametrize(
    ("mounts", "kind"), [(V2, "v2"), (V1, "v1"), (HYBRID, "hybrid"), ("", None), ("x y\n", None)]
)
def test_cgroups(mounts: str, kind: str | None) -> None:
    assert parse_cgroup_mounts(mounts) == kind


def test_os_release_with_quotes_comments_and_rubbish() -> None:
    text = '# no\nID=\'debian\'\nNAME="a \\"b\\""\nBROKEN="\nno line\nEMPTY=\n'
    assert parse_os_release(text) == {"ID": "debian", "NAME": 'a "b"'}


def test_versions_and_ranges() -> None:
    assert parse_systemd_version("systemd 252 (252.39-1~deb12u2)\n+PAM") == 252
    assert parse_systemd_version("systemd 256~rc3 (x)") == 256
    assert parse_systemd_version("") is None
    assert parse_python_version("3.11\n") == (3, 11)
    assert parse_python_version("python3") is None
    assert parse_port_range("32768 60999") == (32768, 60999)
    assert parse_port_range("a b") == ()
    assert parse_port_range("9" * 6000 + " 1") == ()


@pytest.mark.parametrize("rubbish", ["\r", "\x0b\x0c", "\ufffd" * 9, "9" * 6000])
def test_rubbish_in_any_file_is_no_error(tmp_path: Path, rubbish: str) -> None:
    machine = Machine(tmp_path)
    for path in (
        "/etc/hostname",
        "/etc/os-release",
        "/proc/meminfo",
        "/proc/self/mounts",
        "/proc/sys/net/ipv4/ip_local_port_range",
        "/proc/sys/kernel/numa_balancing",
        "/run/systemd/container",
        "/run/host/container-manager",
        "/sys/devices/virtual/dmi/id/sys_vendor",
        "/sys/firmware/devicetree/base/model",
        "/sys/hypervisor/type",
    ):
        machine.file(path, rubbish)
    system = read_system(Source(tmp_path))
    assert (system.memory_mib, system.swap_mib, system.ephemeral_ports) == (None, None, ())


def test_systemd_is_known_without_starting_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/usr/lib/aarch64-linux-gnu/systemd/libsystemd-shared-257.so", "")
    machine.file("/usr/bin/systemctl", "")
    host = Answers(tmp_path, said={"/usr/bin/systemctl --version": "systemd 251 (251.4)"})
    assert read_system(host).systemd == 257
    assert host.asked == []
    assert systemd_of_library(["libsystemd-shared-254.5-1.fc39.so", "libsystemd-core-1.so"]) == 254
    assert systemd_of_library(["libsystemd-shared-.so", "x"]) is None
    (tmp_path / "usr/lib/aarch64-linux-gnu/systemd/libsystemd-shared-257.so").unlink()
    assert read_system(host).systemd == 251


def test_a_python_whose_name_tells_nothing_is_asked(tmp_path: Path) -> None:
    Machine(tmp_path).file("/usr/bin/python3", "")
    ask = "/usr/bin/python3 -I -c import sys; print('%d.%d' % sys.version_info[:2])"
    assert read_system(Answers(tmp_path, said={ask: "3.12\n"})).python == "/usr/bin/python3"
    assert read_system(Answers(tmp_path, said={ask: "3.9\n"})).python is None


def test_meminfo() -> None:
    text = "MemTotal:       2097152 kB\nSwapTotal:             0 kB\nSwapFree: x kB\n"
    assert parse_meminfo_mib(text, "MemTotal") == 2048
    assert parse_meminfo_mib(text, "SwapTotal") == 0
    assert parse_meminfo_mib(text, "SwapFree") is None
    assert parse_meminfo_mib(f"MemTotal: {'9' * 6000} kB\n", "MemTotal") is None


@pytest.mark.parametrize(
    ("dmi", "product"),
    [
        (
            ("Supermicro", "SYS-4029GP-TRT2", "Supermicro", "X11DPG-OT"),
            "Supermicro SYS-4029GP-TRT2",
        ),
        (("Supermicro", "Super Server", "Supermicro", "H12SSL-i"), "Supermicro H12SSL-i"),
        (
            ("ASUS", "System Product Name", "ASUSTeK COMPUTER INC.", "Pro WS WRX80E"),
            "ASUSTeK COMPUTER INC. Pro WS WRX80E",
        ),
        (
            ("To Be Filled By O.E.M.", "To Be Filled By O.E.M.", "ASRockRack", "ROMED8-2T"),
            "ASRockRack ROMED8-2T",
        ),
        (("HP", "HP Z8 G4  Workstation", "", ""), "HP Z8 G4 Workstation"),
        (("NVIDIA", "NVIDIA_DGX_Spark", "", ""), "NVIDIA_DGX_Spark"),
        (("Default string", "Default string", "Default string", "x.x"), None),
        (("Gigabyte", "0123456789", "", "xxxxxxxx"), "Gigabyte"),
    ],
)
def test_products(tmp_path: Path, dmi: tuple[str, str, str, str], product: str | None) -> None:
    machine = Machine(tmp_path)
    for name, text in zip(
        ("sys_vendor", "product_name", "board_vendor", "board_name"), dmi, strict=True
    ):
        machine.file(f"/sys/devices/virtual/dmi/id/{name}", text + "\n")
    assert read_product(machine.tree) == product


def test_a_product_of_a_device_tree(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/sys/firmware/devicetree/base/model", "NVIDIA Jetson AGX Orin\0")
    assert read_product(machine.tree) == "NVIDIA Jetson AGX Orin"
    machine.data("/sys/firmware/devicetree/base/model", b"\x01\xff\xfe")
    assert read_product(machine.tree) is None
    assert product_of("Dell Inc.", None) is None
    assert product_of(None, "R740") == "R740"
    assert meaning("None") is None


DETECT = "/usr/bin/systemd-detect-virt"


def test_virtualization_by_systemd(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file(DETECT, "")
    # What files say counts for nothing once systemd has spoken.
    machine.file("/sys/devices/virtual/dmi/id/sys_vendor", "QEMU\n")
    said = {f"{DETECT} --container": "lxc\n", f"{DETECT} --vm": "kvm\n"}
    told = read_system(Answers(tmp_path, said=said))
    assert (told.container, told.virtual_machine) == ("lxc", "kvm")
    metal = {f"{DETECT} --container": "none\n", f"{DETECT} --vm": "none\n"}
    told = read_system(Answers(tmp_path, said=metal, codes=dict.fromkeys(metal, 1)))
    assert (told.container, told.virtual_machine) == (None, None)
    # One that cannot be run leaves it to the files.
    assert read_virtual_machine(Answers(tmp_path)) == "qemu"


def test_containers_without_systemd(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    root = "overlay / overlay rw,lowerdir=/var/lib/{}/1/fs,upperdir=/x 0 0\n"
    assert read_container(Source(tmp_path), "/dev/sda1 / ext4 rw 0 0\n") is None
    assert read_container(Source(tmp_path), root.format("containerd/snapshots")) == "containerd"
    assert container_of_root(root.format("containers/storage/overlay")) == "podman"
    assert container_of_root(root.format("docker/overlay2")) == "docker"
    assert container_of_root("overlay / overlay rw,lowerdir=/run/live/rootfs 0 0\n") is None
    machine.file("/proc/1/cgroup", "4:memory:/lxc.payload.c1\n")
    assert read_container(Source(tmp_path), "") == "lxc"
    machine.file("/run/secrets/kubernetes.io/serviceaccount/token", "")
    assert read_container(Source(tmp_path), "") == "kubernetes"
    machine.file("/run/host/container-manager", "systemd-nspawn\n")
    assert read_container(Source(tmp_path), "") == "systemd-nspawn"


@pytest.mark.parametrize(
    ("cgroup", "word"),
    [
        ("11:cpuset:/kubepods/burstable/pod1/2", "kubernetes"),
        ("0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-1.scope", "kubernetes"),
        ("4:memory:/docker/0a1b", "docker"),
        ("0::/system.slice/docker-0a1b.scope", "docker"),
        ("0::/machine.slice/libpod-0a1b.scope", "podman"),
        ("4:memory:/lxc/web", "lxc"),
        ("0::/machine.slice/systemd-nspawn@web.service", "systemd-nspawn"),
        ("0::/init.scope", None),
        ("0::/system.slice/lxcfs.service", None),
    ],
)
def test_containers_by_control_group(cgroup: str, word: str | None) -> None:
    assert container_of_cgroup(cgroup) == word


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        (("QEMU", "Standard PC (Q35 + ICH9, 2009)"), "qemu"),
        (("VMware, Inc.", "VMware7,1"), "vmware"),
        (("Microsoft Corporation", "Virtual Machine"), "microsoft"),
        (("Microsoft Corporation", "Surface Laptop"), None),
        (("Amazon EC2", "p5.48xlarge"), "amazon"),
        (("Amazon EC2", "g4dn.metal"), None),
        (("Amazon EC2", "m7i.metal-24xl"), None),
        (("Google", "Google Compute Engine"), "google"),
        (("Dell Inc.", "PowerEdge R750xa"), None),
        ((), None),
    ],
)
def test_machines_by_dmi(fields: tuple[str, ...], word: str | None) -> None:
    assert machine_of_dmi(*fields) == word


def test_virtual_machines_by_files(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    host = Source(tmp_path)
    machine.file("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme hypervisor\n\n")
    assert read_virtual_machine(host) == "vm-other"
    clocks = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
    machine.file(clocks, "kvm-clock tsc acpi_pm\n")
    assert read_virtual_machine(host) == "kvm"
    machine.file("/sys/class/dmi/id/sys_vendor", "QEMU\n")
    assert read_virtual_machine(host) == "kvm"
    machine.file("/sys/hypervisor/type", "xen\n")
    assert read_virtual_machine(host) == "xen"
    machine.file("/proc/xen/capabilities", "control_d\n")
    assert read_virtual_machine(host) is None


def test_a_kvm_clock_that_the_real_machine_offers_is_not_enough(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme\n\nflags: hypervisor\n")
    assert read_virtual_machine(Source(tmp_path)) is None
    assert not has_hypervisor_flag("Features : hypervisor")
    assert machine_of_clocks("hyperv_clocksource_tsc_page acpi_pm") == "microsoft"
    assert machine_of_clocks("tsc hpet acpi_pm") is None
    assert machine_of_device_tree("linux,kvm") == "kvm"
    assert machine_of_device_tree("") is None

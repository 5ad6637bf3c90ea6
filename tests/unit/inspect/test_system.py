from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.facts import System
from provision.host.inspect.system import (
    parse_cgroup_mounts,
    parse_os_release,
    parse_port_range,
    parse_python_version,
    parse_systemd_version,
    read_system,
)

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
    system = read_system(machine.tree)
    assert system.hostname == "gpu-01"
    assert system.kernel == "5.15.0-91-generic"
    assert system.distribution == "ubuntu 22.04"
    assert system.pretty_name == "Ubuntu 22"
    assert (system.systemd, system.cgroup, system.python) == (249, "v2", "/usr/bin/python3")
    assert (system.numactl, system.memory_mib) == ("/usr/bin/numactl", 1000)
    assert (system.numa_balancing, system.ephemeral_ports) == (1, (32768, 60999))
    assert (system.architecture, system.container) == (None, None)


def test_an_empty_tree_knows_only_its_name(tmp_path: Path) -> None:
    system = read_system(Machine(tmp_path / "box").tree)
    assert system.hostname == "box"
    assert system == System("box")


def test_an_old_python_is_passed_over(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for name in ("python3.9", "python3.11"):
        machine.file(f"/usr/bin/{name}", "")
    machine.link("/usr/bin/python3", "/etc/alternatives/python3")
    machine.link("/etc/alternatives/python3", "/usr/bin/python3.9")
    assert read_system(machine.tree).python == "/usr/bin/python3.11"


@pytest.mark.parametrize("path", ["/run/.containerenv", "/.dockerenv"])
def test_containers_by_their_marks(tmp_path: Path, path: str) -> None:
    machine = Machine(tmp_path)
    machine.file(path, "")
    told = read_system(machine.tree).container
    assert told == ("docker" if "docker" in path else "podman")
    machine.file("/run/systemd/container", "lxc\n")
    assert read_system(machine.tree).container == "lxc"


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

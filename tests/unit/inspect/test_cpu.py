from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.inspect.cpu import cpu_model, cpus_in_cpuinfo, physical_cores, read_cpu
from provision.host.quantity import CpuSet

from .tree import Machine, two_sockets


def _texts(cores: tuple[CpuSet, ...]) -> list[str]:
    return [str(core) for core in cores]


def test_two_sockets_with_threads(tmp_path: Path) -> None:
    cpu = read_cpu(two_sockets(tmp_path).tree)
    assert str(cpu.online) == "0-7"
    assert _texts(cpu.cores) == ["0,4", "1,5", "2,6", "3,7"]
    assert cpu.sockets == 2
    assert cpu.allowed is None  # the tree records no process


def test_an_empty_tree_has_no_cpus_and_no_crash(tmp_path: Path) -> None:
    cpu = read_cpu(Machine(tmp_path).tree)
    assert (cpu.online, cpu.cores, cpu.sockets, cpu.model) == (CpuSet(), (), None, None)


def test_without_cpu_online_the_folders_tell(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for cpu in range(4):
        folder = f"/sys/devices/system/cpu/cpu{cpu}"
        machine.file(f"{folder}/topology/thread_siblings", f"{0b11 << (cpu // 2 * 2):08x}\n")
        if cpu:
            machine.file(f"{folder}/online", "0\n" if cpu == 3 else "1\n")
    machine.file("/sys/devices/system/cpu/cpufreq/boost", "1\n")
    cpu_facts = read_cpu(machine.tree)
    assert str(cpu_facts.online) == "0-2"
    assert str(cpu_facts.offline) == "3"
    assert _texts(cpu_facts.cores) == ["0-1", "2"]


def test_without_sysfs_cpuinfo_tells(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/proc/cpuinfo", "processor\t: 0\nmodel name\t: Some  CPU\n\nprocessor\t: 5\n")
    cpu = read_cpu(machine.tree)
    assert str(cpu.online) == "0,5"
    assert cpu.model == "Some CPU"
    assert _texts(cpu.cores) == ["0", "5"]


def test_offline_cpus_are_the_present_ones(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.cpus("0-1", {0: "0", 1: "1"}, {})
    machine.file("/sys/devices/system/cpu/present", "0-3\n")
    machine.file("/sys/devices/system/cpu/offline", "2-127\n")  # with sockets that are empty
    assert str(read_cpu(machine.tree).offline) == "2-3"


@pytest.mark.parametrize(
    ("packages", "core_siblings", "sockets"),
    [
        ({0: 0, 1: 1}, {0: "0", 1: "1"}, 2),
        ({0: 0, 1: 0}, {0: "0", 1: "1"}, None),  # ppc64: the two sources disagree
        ({0: -1, 1: -1}, {}, None),  # arm64 and riscv without a device-tree socket
        ({0: -1, 1: -1}, {0: "0-1", 1: "0-1"}, 1),
        ({0: 3, 1: 3}, {}, 1),
    ],
)
def test_sockets(
    tmp_path: Path, packages: dict[int, int], core_siblings: dict[int, str], sockets: int | None
) -> None:
    machine = Machine(tmp_path)
    machine.cpus("0-1", {0: "0", 1: "1"}, packages)
    for cpu, text in core_siblings.items():
        machine.file(f"/sys/devices/system/cpu/cpu{cpu}/topology/core_siblings_list", text)
    assert read_cpu(machine.tree).sockets == sockets


def test_many_packages_of_one_core_are_no_sockets(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.cpus("0-15", {cpu: str(cpu) for cpu in range(16)}, {cpu: cpu for cpu in range(16)})
    assert read_cpu(machine.tree).sockets is None


def test_cores_never_overlap_whatever_the_firmware_says() -> None:
    wrong = {0: CpuSet.parse("0-1"), 1: CpuSet.parse("1-2"), 2: CpuSet.parse("0-2"), 3: None}
    assert _texts(physical_cores(CpuSet.parse("0-3"), wrong)) == ["0-1", "2", "3"]


def test_allowed_cpus_of_the_recorded_process(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.file("/proc/self/status", "Name:\tx\nCpus_allowed:\tf\nCpus_allowed_list:\t0-3\n")
    assert str(read_cpu(machine.tree).allowed) == "0-3"


def test_broken_files_are_passed_over(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.cpus("nonsense", {0: "0-999999999", 1: "1"}, {})
    cpu = read_cpu(machine.tree)
    assert str(cpu.online) == "0-1"
    assert _texts(cpu.cores) == ["0", "1"]


@pytest.mark.parametrize(
    ("cpuinfo", "model"),
    [
        ("processor\t: 0\ncpu\t\t: POWER9, altivec supported\n", "POWER9, altivec supported"),
        ("processor\t: 0\ncpu family\t: 6\n", None),
        ("vendor_id       : IBM/S390\nprocessor 0: version = FF\n", None),
        ("Processor\t: ARMv7 rev 1\nprocessor\t: 0\n", "ARMv7 rev 1"),
    ],
)
def test_models(cpuinfo: str, model: str | None) -> None:
    assert cpu_model(cpuinfo) == model


def test_processors_of_s390() -> None:
    assert str(cpus_in_cpuinfo("processor 0: version = FF\nprocessor 1: version = FF\n")) == "0-1"

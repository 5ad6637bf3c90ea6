from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.facts import CoreKind
from provision.host.inspect.processor.cores import shared_sets, sockets
from provision.host.inspect.processor.cpu import cpu_model, cpus_in_cpuinfo, read_cpu
from provision.host.quantity import CpuSet

from .tree import Machine, two_sockets


def _texts(sets: tuple[CpuSet, ...]) -> list[str]:
    return [str(one) for one in sets]


def _cache(machine: Machine, cpu: int, index: int, level: int, kind: str, shared: str) -> None:
    folder = f"/sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
    machine.file(f"{folder}/level", f"{level}\n")
    machine.file(f"{folder}/type", f"{kind}\n")
    machine.file(f"{folder}/shared_cpu_list", f"{shared}\n")


def test_two_sockets_with_threads(tmp_path: Path) -> None:
    cpu = read_cpu(two_sockets(tmp_path).tree)
    assert str(cpu.online) == "0-7"
    assert _texts(cpu.cores) == ["0,4", "1,5", "2,6", "3,7"]
    assert cpu.sockets == 2
    assert _texts(cpu.packages) == ["0,2,4,6", "1,3,5,7"]
    assert cpu.kinds == ()
    # The tree records no process, no caches and no word on isolation.
    assert (cpu.allowed, cpu.allowed_nodes, cpu.caches, cpu.isolated) == (None, None, (), None)


def test_an_empty_tree_has_no_cpus_and_no_crash(tmp_path: Path) -> None:
    cpu = read_cpu(Machine(tmp_path).tree)
    assert (cpu.online, cpu.cores, cpu.sockets, cpu.model) == (CpuSet(), (), None, None)
    assert (cpu.packages, cpu.caches, cpu.kinds) == ((), (), ())


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


def test_cpu_0_may_be_offline(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.cpus("1-3", {0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}, {1: 0, 2: 0, 3: 0})
    machine.file("/sys/devices/system/cpu/present", "0-3\n")
    cpu = read_cpu(machine.tree)
    assert str(cpu.offline) == "0"
    assert _texts(cpu.cores) == ["1", "2-3"]
    assert _texts(cpu.packages) == ["1-3"]


def test_offline_cpus_are_the_present_ones(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.cpus("0-1", {0: "0", 1: "1"}, {})
    machine.file("/sys/devices/system/cpu/present", "0-3\n")
    machine.file("/sys/devices/system/cpu/offline", "2-127\n")  # with sockets that are empty
    assert str(read_cpu(machine.tree).offline) == "2-3"


@pytest.mark.parametrize(
    ("packages", "core_siblings", "count"),
    [
        ({0: 0, 1: 1}, {0: "0", 1: "1"}, 2),
        ({0: 0, 1: 0}, {0: "0", 1: "1"}, None),  # ppc64: the two sources disagree
        ({0: -1, 1: -1}, {}, None),  # arm64 and riscv without a device-tree socket
        ({0: -1, 1: -1}, {0: "0-1", 1: "0-1"}, 1),
        ({0: -1, 1: -1}, {0: "0", 1: "1"}, None),  # ppc64 in a partition: cores as packages
        ({0: 3, 1: 3}, {}, 1),
        ({0: 0, 1: 8}, {}, 2),  # POWER9: numbers of chips
    ],
)
def test_sockets(
    tmp_path: Path, packages: dict[int, int], core_siblings: dict[int, str], count: int | None
) -> None:
    machine = Machine(tmp_path)
    machine.cpus("0-1", {0: "0", 1: "1"}, packages)
    for cpu, text in core_siblings.items():
        machine.file(f"/sys/devices/system/cpu/cpu{cpu}/topology/core_siblings_list", text)
    cpu_facts = read_cpu(machine.tree)
    assert cpu_facts.sockets == count
    assert len(cpu_facts.packages) == (count or 0)


def test_many_packages_of_one_core_are_no_sockets(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.cpus("0-15", {cpu: str(cpu) for cpu in range(16)}, {cpu: cpu for cpu in range(16)})
    assert read_cpu(machine.tree).sockets is None


def test_books_and_drawers_are_no_sockets(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.cpus("0-3", {cpu: str(cpu) for cpu in range(4)}, {0: 0, 1: 0, 2: 1, 3: 1})
    assert read_cpu(machine.tree).sockets == 2
    machine.file("/sys/devices/system/cpu/cpu0/topology/book_id", "1\n")
    assert read_cpu(machine.tree).sockets is None


def test_a_phones_clusters_are_one_chip() -> None:
    online = CpuSet.parse("0-7")
    packages = [CpuSet.parse(text) for text in ("0-3", "4-6", "7")]
    kinds = [CoreKind("kind-0", CpuSet.parse("4-7")), CoreKind("kind-1", CpuSet.parse("0-3"))]
    assert sockets(online, packages, packages, 8, kinds) == (online,)
    # Two hybrid chips: both kinds in each.
    packages = [CpuSet.parse("0-3"), CpuSet.parse("4-7")]
    kinds = [CoreKind("kind-0", CpuSet.parse("0-1,4-5")), CoreKind("kind-1", CpuSet.parse("2-3"))]
    assert len(sockets(online, packages, packages, 8, kinds)) == 2


def test_sets_never_overlap_whatever_the_firmware_says() -> None:
    wrong = {0: "0-1", 1: "1-2", 2: "0-2", 3: ""}
    found = shared_sets(CpuSet.parse("0-3"), lambda cpu: CpuSet.parse(wrong[cpu]))
    assert _texts(found) == ["0-1", "2", "3"]


def test_last_level_caches(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    for cpu in range(8):
        _cache(machine, cpu, 0, 1, "Data", str(cpu))
        _cache(machine, cpu, 1, 1, "Instruction", str(cpu))
        _cache(machine, cpu, 2, 2, "Unified", f"{cpu % 4},{cpu % 4 + 4}")
    for cpu in (0, 2, 4, 6):  # the other socket's chip has no third level
        _cache(machine, cpu, 3, 3, "Unified", "0,2,4,6,8")
    assert _texts(read_cpu(machine.tree).caches) == ["0,2,4,6", "1,5", "3,7"]


def test_caches_without_a_unified_one_are_not_told(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    _cache(machine, 0, 0, 1, "Data", "0")
    assert read_cpu(machine.tree).caches == ()


def test_what_we_may_use_and_what_is_isolated(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.file(
        "/proc/self/status",
        "Name:\tx\nCpus_allowed:\tf\nCpus_allowed_list:\t0-3\n"
        "Mems_allowed:\t3\nMems_allowed_list:\t0,8\n",
    )
    machine.file("/sys/devices/system/cpu/isolated", "6-7\n")
    cpu = read_cpu(machine.tree)
    assert (str(cpu.allowed), str(cpu.allowed_nodes), str(cpu.isolated)) == ("0-3", "0,8", "6-7")
    machine.file("/sys/devices/system/cpu/isolated", "\n")
    assert read_cpu(machine.tree).isolated == CpuSet()  # told: none


def test_broken_files_are_passed_over(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.cpus("nonsense", {0: "0-999999999", 1: "1"}, {})
    machine.file("/proc/self/status", "Cpus_allowed_list:\tzz\nMems_allowed_list:\n")
    _cache(machine, 0, 2, 2, "Unified", "9-1")
    cpu = read_cpu(machine.tree)
    assert str(cpu.online) == "0-1"
    assert _texts(cpu.cores) == ["0", "1"]
    assert (cpu.allowed, cpu.allowed_nodes, cpu.caches) == (None, None, ())


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

from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.facts import Cpu
from provision.host.inspect.processor.cpu import read_cpu
from provision.host.inspect.processor.kinds import arm_parts, grouped, kind_model
from provision.host.quantity import CpuSet

from .tree import Machine

_CPU = "/sys/devices/system/cpu"


def _machine(root: Path, count: int, siblings: dict[int, str] | None = None) -> Machine:
    machine = Machine(root)
    machine.cpus(
        f"0-{count - 1}",
        siblings or {cpu: str(cpu) for cpu in range(count)},
        dict.fromkeys(range(count), 0),
    )
    return machine


def _frequencies(machine: Machine, megahertz: list[int]) -> None:
    for cpu, value in enumerate(megahertz):
        machine.file(f"{_CPU}/cpu{cpu}/cpufreq/cpuinfo_max_freq", f"{value}000\n")


def _kinds(cpu: Cpu) -> list[tuple[str, str, int | None, int | None]]:
    return [(kind.name, str(kind.cpus), kind.capacity, kind.max_mhz) for kind in cpu.kinds]


def test_intels_perf_units_name_the_kinds(tmp_path: Path) -> None:
    machine = _machine(tmp_path, 8, {0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"})
    machine.file("/sys/devices/cpu_core/cpus", "0-3\n")
    machine.file("/sys/devices/cpu_atom/cpus", "4-6\n")
    machine.file("/sys/devices/cpu_lowpower/cpus", "7\n")
    _frequencies(machine, [5000, 5000, 5200, 5200, 3900, 3900, 3900, 2500])
    assert _kinds(read_cpu(machine.tree)) == [
        ("performance", "0-3", None, 5200),
        ("efficiency", "4-6", None, 3900),
        ("low-power", "7", None, 2500),
    ]


def test_a_chip_with_its_small_cores_switched_off_has_one_kind(tmp_path: Path) -> None:
    machine = _machine(tmp_path, 4)
    machine.file("/sys/devices/cpu_core/cpus", "0-3\n")
    machine.file("/sys/devices/cpu_atom/cpus", "4-7\n")
    assert read_cpu(machine.tree).kinds == ()


def _arm(parts: list[str]) -> str:
    return "\n".join(
        f"processor\t: {cpu}\nBogoMIPS\t: 2000.00\nCPU implementer\t: 0x41\n"
        f"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {part}\nCPU revision\t: 1\n"
        for cpu, part in enumerate(parts)
    )


def test_the_parts_of_an_arm_chip_are_its_kinds_whatever_the_capacities(tmp_path: Path) -> None:
    # As on GB10: each kind has cores of several capacities, spread over two clusters.
    parts = ["0xd87", "0xd85", "0xd87", "0xd85", "0xd85"]
    machine = _machine(tmp_path, 5)
    machine.file("/proc/cpuinfo", _arm(parts))
    for cpu, capacity in enumerate([718, 997, 731, 1017, 1024]):
        machine.file(f"{_CPU}/cpu{cpu}/cpu_capacity", f"{capacity}\n")
    cpu_facts = read_cpu(machine.tree)
    assert _kinds(cpu_facts) == [
        ("Cortex-X925", "1,3-4", 1024, None),
        ("Cortex-A725", "0,2", 731, None),
    ]
    assert cpu_facts.model == "Cortex-X925 + Cortex-A725"
    assert cpu_facts.sockets == 1


def test_capacities_alone(tmp_path: Path) -> None:
    machine = _machine(tmp_path, 4)
    for cpu, capacity in enumerate([400, 400, 1024, 1000]):
        machine.file(f"{_CPU}/cpu{cpu}/cpu_capacity", f"{capacity}\n")
    assert _kinds(read_cpu(machine.tree)) == [
        ("kind-0", "2-3", 1024, None),
        ("kind-1", "0-1", 400, None),
    ]


def test_a_server_of_equal_arm_cores_has_a_name_and_no_kinds(tmp_path: Path) -> None:
    machine = _machine(tmp_path, 2)
    machine.file("/proc/cpuinfo", _arm(["0xd4f", "0xd4f"]))
    for cpu in range(2):
        machine.file(f"{_CPU}/cpu{cpu}/cpu_capacity", "1024\n")
    cpu_facts = read_cpu(machine.tree)
    assert (cpu_facts.kinds, cpu_facts.model) == ((), "Neoverse-V2")


@pytest.mark.parametrize(
    ("megahertz", "groups"),
    [
        ([5700, 5700, 5500, 5500], ["0-3"]),  # the best cores of one kind
        ([5759, 5616, 5474, 5331, 5188, 5045, 4902, 4759, 4616], ["0-8"]),  # ranked one by one
        ([5200, 5000, 3900, 3900], ["0-1", "2-3"]),
        ([5100, 5100, 3300, 3300], ["0-1", "2-3"]),  # dense cores of the same architecture
    ],
)
def test_frequencies_of_one_kind_lie_close_together(
    tmp_path: Path, megahertz: list[int], groups: list[str]
) -> None:
    machine = _machine(tmp_path, len(megahertz))
    _frequencies(machine, megahertz)
    found = [str(kind.cpus) for kind in read_cpu(machine.tree).kinds]
    assert found == (groups if len(groups) > 1 else [])


def test_frequencies_by_policy_where_the_cpus_have_no_links(tmp_path: Path) -> None:
    machine = _machine(tmp_path, 4)
    for policy, cpus, top in ((0, "0 1", 5000), (2, "2 3", 3000)):
        machine.file(f"{_CPU}/cpufreq/policy{policy}/cpuinfo_max_freq", f"{top}000\n")
        machine.file(f"{_CPU}/cpufreq/policy{policy}/related_cpus", f"{cpus}\n")
    assert [str(kind.cpus) for kind in read_cpu(machine.tree).kinds] == ["0-1", "2-3"]


def test_where_one_cpu_tells_nothing_there_are_no_kinds() -> None:
    assert grouped({0: 5000, 1: 3000}, CpuSet.parse("0-2")) == ()
    assert grouped({}, CpuSet()) == ()


def test_unknown_parts_are_not_guessed() -> None:
    assert kind_model(arm_parts(_arm(["0xd85", "0xfff"])), ()) is None
    assert arm_parts("CPU part\t: 0xd85\n\nprocessor\t: zz\n") == {}

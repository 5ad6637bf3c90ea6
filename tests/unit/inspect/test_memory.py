from __future__ import annotations

from pathlib import Path

from provision.host.facts import MemoryNow, NodeNow
from provision.host.inspect.processor.memory import (
    kib_of,
    memory_now,
    read_memory_now,
    read_nodes_now,
)
from provision.host.inspect.processor.numa import read_numa
from provision.host.quantity import CpuSet

from .tree import Machine, two_sockets

MEMINFO = """\
MemTotal:       65843028 kB
MemFree:         1048576 kB
MemAvailable:   52428800 kB
SwapCached:         1024 kB
SwapTotal:       8388604 kB
SwapFree:        6291452 kB
CommitLimit:    41310116 kB
Committed_AS:   20971520 kB
HugePages_Total:       0
Hugepagesize:       2048 kB
"""


def test_memory_now(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/proc/meminfo", MEMINFO)
    assert read_memory_now(machine.tree) == MemoryNow(
        available_mib=51200, swap_used_mib=2048, committed_mib=20480, commit_limit_mib=40341
    )


def test_what_is_not_told_is_unknown_and_no_swap_is_zero(tmp_path: Path) -> None:
    assert read_memory_now(Machine(tmp_path).tree) == MemoryNow()
    assert memory_now("SwapTotal: 0 kB\nSwapFree: 0 kB\n") == MemoryNow(swap_used_mib=0)
    assert memory_now("SwapTotal: 12 kB\nMemAvailable: x kB\n") == MemoryNow()
    assert kib_of(f"MemTotal: {'9' * 5000} kB", "MemTotal") is None


def test_each_node_has_its_own(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    folder = "/sys/devices/system/node/node1"
    machine.file(f"{folder}/meminfo", "Node 1 MemTotal: 4096 kB\nNode 1 MemFree: 3072 kB\n")
    for size, free in ((2048, 5), (1048576, 2)):
        machine.file(f"{folder}/hugepages/hugepages-{size}kB/nr_hugepages", "7\n")
        machine.file(f"{folder}/hugepages/hugepages-{size}kB/free_hugepages", f"{free}\n")
    nodes = read_numa(machine.tree, CpuSet.parse("0-7")).nodes
    assert read_nodes_now(machine.tree, nodes) == (NodeNow(0, 0, None), NodeNow(1, 3, 7))


def test_a_size_that_is_not_told_leaves_the_sum_unknown(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    folder = "/sys/devices/system/node/node0/hugepages"
    machine.file(f"{folder}/hugepages-2048kB/free_hugepages", "5\n")
    machine.file(f"{folder}/hugepages-1048576kB/nr_hugepages", "1\n")
    nodes = read_numa(machine.tree, CpuSet.parse("0-7")).nodes
    assert read_nodes_now(machine.tree, nodes)[0].huge_pages_free is None


def test_the_pseudo_node_has_the_memory_of_the_machine(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/proc/meminfo", MEMINFO)
    machine.node(0, "0-3", 100, "10 20")  # a firmware error: the same CPUs twice
    machine.node(1, "0-3", 100, "20 10")
    machine.file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "3\n")
    numa = read_numa(machine.tree, CpuSet.parse("0-3"))
    assert numa.problem is not None
    assert read_nodes_now(machine.tree, numa.nodes) == (NodeNow(0, 1024, 3),)


def test_a_node_that_tells_nothing_is_left_out(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.node(0, "0-3", 100, "10 20")
    machine.file("/sys/devices/system/node/node1/cpulist", "4-7\n")
    nodes = read_numa(machine.tree, CpuSet.parse("0-7")).nodes
    assert [node.id for node in nodes] == [0, 1]
    assert [now.id for now in read_nodes_now(machine.tree, nodes)] == [0]
    assert read_nodes_now(machine.tree, nodes[1:]) == ()

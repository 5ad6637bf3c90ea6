from __future__ import annotations

from pathlib import Path

from provision.host.facts import NumaNode
from provision.host.inspect.numa import (
    distance_row,
    distances,
    nearest_cpu_node,
    node_of_cpus,
    read_numa,
)
from provision.host.quantity import CpuSet

from .tree import Machine, two_sockets

ALL = CpuSet.parse("0-7")


def test_two_nodes(tmp_path: Path) -> None:
    numa = read_numa(two_sockets(tmp_path).tree, ALL)
    assert numa.problem is None
    assert [(node.id, str(node.cpus), node.memory_mib) for node in numa.nodes] == [
        (0, "0,2,4,6", 65536),
        (1, "1,3,5,7", 64512),
    ]
    assert numa.nodes[1].distances == {0: 21, 1: 10}


def test_no_folder_is_one_node_of_everything(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.memory(2048)
    numa = read_numa(machine.tree, ALL)
    assert numa.problem is None
    assert numa.nodes == (NumaNode(0, ALL, 2048),)


def test_sparse_ids_and_rows_in_numerical_order(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.node(2, "0-3", 1000, "10 17 40")
    machine.node(10, "4-7", 1000, "17 10 41")
    machine.node(33, "", 500, "40 41 10")
    numa = read_numa(machine.tree, ALL)
    assert [node.id for node in numa.nodes] == [2, 10, 33]
    assert numa.nodes[0].distances == {2: 10, 10: 17, 33: 40}
    assert numa.nodes[2].cpus == CpuSet()


def test_overlapping_lists_make_one_node_and_say_why(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.memory(16000)
    machine.node(0, "0-7", 2000, "10 20")
    machine.node(1, "3", 2000, "20 10")
    numa = read_numa(machine.tree, ALL)
    assert numa.nodes == (NumaNode(0, ALL, 16000),)
    assert numa.problem is not None
    assert "CPU 3 is in node 0 and in node 1" in numa.problem


def test_cpus_in_no_node_stay_outside(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.node(1, "0-3", 2000, "10")
    numa = read_numa(machine.tree, ALL)
    assert [str(node.cpus) for node in numa.nodes] == ["0-3"]
    assert numa.problem is None


def test_nodes_without_any_cpu_are_not_believed(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.node(0, "", 2000, "10")
    numa = read_numa(machine.tree, ALL)
    assert numa.nodes[0].cpus == ALL
    assert numa.problem == "no node has any CPU"


def test_mask_instead_of_list_offline_cpus_and_missing_memory(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/sys/devices/system/node/node0/cpumap", "00000000,0000010f\n")
    machine.node(1, "4-7", 0, "20 10")
    numa = read_numa(machine.tree, CpuSet.parse("0-2,4-7"))
    assert [(str(node.cpus), node.memory_mib) for node in numa.nodes] == [
        ("0-2", None),
        ("4-7", 0),
    ]
    assert numa.nodes[0].distances == {}


def test_rows_that_do_not_fit_tell_nothing() -> None:
    assert distances((0, 1), (10, 20, 30)) == {}
    assert distance_row("10 x") == ()
    assert distance_row("") == ()


def test_columns_of_nodes_that_a_recording_lacks(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.node(2, "0-7", 1000, "40 10")
    machine.file("/sys/devices/system/node/online", "0,2\n")
    assert read_numa(machine.tree, ALL).nodes[0].distances == {0: 40, 2: 10}


def test_a_memory_node_belongs_to_the_nearest_cpus() -> None:
    nodes = (
        NumaNode(0, CpuSet.parse("0-3"), 1000, {0: 10, 1: 21, 4: 28}),
        NumaNode(1, CpuSet.parse("4-7"), 1000, {0: 21, 1: 10, 4: 17}),
        NumaNode(4, CpuSet(), 1000, {0: 28, 1: 17, 4: 10}),
    )
    assert nearest_cpu_node(nodes, 4) == 1
    assert nearest_cpu_node(nodes, 0) == 0
    assert nearest_cpu_node(nodes, 9) is None
    assert nearest_cpu_node(nodes, None) is None


def test_node_of_cpus() -> None:
    nodes = (NumaNode(0, CpuSet.parse("0-3")), NumaNode(1, CpuSet.parse("4-7")))
    assert node_of_cpus(nodes, CpuSet.parse("4-5"), ALL) == 1
    assert node_of_cpus(nodes, CpuSet.parse("4-7,64-127"), ALL) == 1  # possible, not online
    assert node_of_cpus(nodes, CpuSet.parse("3-4"), ALL) is None
    assert node_of_cpus(nodes, ALL, ALL) is None
    assert node_of_cpus(nodes, CpuSet(), ALL) is None
    everything = (NumaNode(0, ALL),)
    assert node_of_cpus(everything, ALL, ALL) is None  # all CPUs tell no locality

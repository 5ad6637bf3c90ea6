from __future__ import annotations

from pathlib import Path

from provision.host.facts import HugePages, NumaNode
from provision.host.inspect.processor.numa import (
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
    assert numa.nodes == (NumaNode(0, ALL, 2048, nearest=0),)


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
    assert numa.nodes == (NumaNode(0, ALL, 16000, nearest=0),)
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
    assert distance_row(f"10 {'9' * 5000}") == ()


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


def _wide(root: Path) -> Machine:
    """As GB200: two nodes with CPUs, sixteen of a GPU each; one has memory, the rest is empty."""
    machine = Machine(root)
    ids = (0, 1, *range(2, 34))
    for one in ids:
        row = [10 if other == one else 40 for other in ids]
        row[0], row[1] = (80, 120) if one in range(2, 18) else (120, 80)
        if one < 2:
            row = [10 if other == one else 40 if other < 2 else 80 for other in ids]
        memory = {0: 490000, 1: 489000, 2: 189000, 18: 189000}.get(one, 0)
        cpus = {0: "0-3", 1: "4-7"}.get(one, "")
        machine.node(one, cpus, memory, " ".join(map(str, row)))
    return machine


def test_many_nodes_of_gpus_each_next_to_its_own_cpus(tmp_path: Path) -> None:
    numa = read_numa(_wide(tmp_path).tree, ALL)
    assert numa.problem is None
    assert [node.id for node in numa.nodes] == list(range(34))
    assert [node.nearest for node in numa.nodes] == [0, 1, *[0] * 16, *[1] * 16]
    assert [node.id for node in numa.nodes if node.memory_mib] == [0, 1, 2, 18]


def test_of_equally_near_nodes_the_lowest() -> None:
    nodes = (
        NumaNode(8, CpuSet.parse("4-7"), 1000, {0: 40, 8: 10, 250: 80}),
        NumaNode(0, CpuSet.parse("0-3"), 1000, {0: 10, 8: 40, 250: 80}),
        NumaNode(250, CpuSet(), 16000, {0: 80, 8: 80, 250: 10}),
    )
    assert nearest_cpu_node(nodes, 250) == 0


def test_a_lost_row_is_read_from_the_other_end_and_unknown_stays_unknown() -> None:
    far = NumaNode(0, CpuSet.parse("0-3"), 1000, {0: 10, 1: 21, 4: 28})
    near = NumaNode(1, CpuSet.parse("4-7"), 1000, {0: 21, 1: 10, 4: 17})
    alone = NumaNode(4, CpuSet(), 1000)
    assert nearest_cpu_node((far, near, alone), 4) == 1
    dumb = (NumaNode(0, CpuSet.parse("0-3")), NumaNode(1, CpuSet.parse("4-7")), alone)
    assert nearest_cpu_node(dumb, 4) is None
    assert nearest_cpu_node((far, alone), 4) == 0  # where else


def test_huge_pages_by_node_and_size(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    folder = "/sys/devices/system/node/node1/hugepages"
    machine.file(f"{folder}/hugepages-1048576kB/nr_hugepages", "16\n")
    machine.file(f"{folder}/hugepages-2048kB/nr_hugepages", "0\n")
    machine.file(f"{folder}/hugepages-64kB/nr_hugepages", "lots\n")
    numa = read_numa(machine.tree, ALL)
    assert numa.nodes[0].huge_pages == ()
    assert numa.nodes[1].huge_pages == (
        HugePages(64, None),
        HugePages(2048, 0),
        HugePages(1048576, 16),
    )


def test_huge_pages_of_a_machine_without_nodes(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512\n")
    assert read_numa(machine.tree, ALL).nodes[0].huge_pages == (HugePages(2048, 512),)

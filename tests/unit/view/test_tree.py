"""The machine as a tree: what hangs where, and what is not shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from provision.host.facts import (
    Cpu,
    Facts,
    Gpu,
    MigDevice,
    Nic,
    NumaNode,
    PciBridge,
    PciDevice,
    PcieLink,
    Stable,
    System,
)
from provision.host.quantity import CpuSet, PciAddress
from provision.view.labels import cpus_text
from provision.view.tree import Branch, machine_tree


def at(text: str) -> PciAddress:
    return PciAddress.parse(text)


def facts(
    nodes: Sequence[NumaNode],
    gpus: Sequence[Gpu] = (),
    devices: Sequence[PciDevice] = (),
    nics: Sequence[Nic] = (),
    bridges: Sequence[PciBridge] = (),
    packages: Sequence[str] = (),
) -> Facts:
    cpu = Cpu(packages=tuple(map(CpuSet.parse, packages)))
    stable = Stable(
        System("box"),
        cpu=cpu,
        numa_nodes=tuple(nodes),
        gpus=tuple(gpus),
        accelerators=tuple(devices),
        nics=tuple(nics),
        bridges=tuple(bridges),
    )
    return Facts(Facts.VERSION, stable)


def gpu(index: int, address: str, node: int | None) -> Gpu:
    name = "NVIDIA L40S"
    return Gpu(index, f"GPU-{index}", at(address), name=name, memory_mib=46068, numa_node=node)


def card(address: str, root: str, *bridges: str, node: int | None = 0) -> PciDevice:
    above = tuple(map(at, bridges))
    return PciDevice(
        at(address), "10de", "26b9", "0302", "nvidia", numa_node=node, root=root, bridges=above
    )


def outline(branches: Sequence[Branch], depth: int = 0) -> list[str]:
    lines: list[str] = []
    for one in branches:
        lines += ["  " * depth + one.label, *outline(one.below, depth + 1)]
    return lines


TWO = (
    NumaNode(0, CpuSet.parse("0-3"), 1000, {0: 10, 1: 21}, 0),
    NumaNode(1, CpuSet.parse("4-7"), 1000, {0: 21, 1: 10}, 1),
)


def test_nodes_hang_below_their_sockets() -> None:
    found = machine_tree(facts(TWO, [gpu(0, "01:00.0", 1)], packages=["0-3", "4-7"]))
    assert outline(found) == ["socket 0", "  node 0", "socket 1", "  node 1", "    GPU 0"]
    assert found[0].below[0].cells == ("CPUs 0-3", "1000 MiB", "node 1 at 21")


def test_without_known_sockets_the_nodes_stand_alone() -> None:
    assert outline(machine_tree(facts(TWO))) == ["node 0", "node 1"]
    # A node over two packages is of neither.
    across = machine_tree(facts(TWO, packages=["0-1", "2-7"]))
    assert outline(across) == ["node 0", "node 1"]


def test_a_device_of_unknown_node_is_shown_as_such_on_two_nodes_and_placed_on_one() -> None:
    assert outline(machine_tree(facts(TWO, [gpu(0, "01:00.0", None)])))[-2:] == [
        "node not known",
        "  GPU 0",
    ]
    assert outline(machine_tree(facts(TWO[:1], [gpu(0, "01:00.0", None)]))) == ["node 0", "  GPU 0"]


def test_only_bridges_that_join_things_are_shown() -> None:
    chain = ("00:01.0", "02:00.0")
    devices = [
        card("04:00.0", "pci0000:00", *chain, "03:00.0"),
        card("05:00.0", "pci0000:00", *chain, "03:01.0"),
        card("81:00.0", "pci0000:80", "80:01.0"),
    ]
    ports = [
        PciBridge(at("00:01.0"), kind="root-port"),
        PciBridge(at("02:00.0"), kind="upstream", link=PcieLink(16.0, 16, 16)),
        PciBridge(at("03:00.0"), kind="downstream"),
        PciBridge(at("03:01.0"), kind="downstream"),
    ]
    cards = [gpu(at_, str(one.address), 0) for at_, one in enumerate(devices)]
    found = machine_tree(facts(TWO[:1], cards, devices, bridges=ports))
    assert outline(found) == ["node 0", "  switch", "    GPU 0", "    GPU 1", "  GPU 2"]
    assert found[0].below[0].cells == ("0000:02:00.0", "", "x16 gen 4")


def test_two_host_bridges_of_a_node_have_lines_of_their_own_when_they_hold_several_things() -> None:
    devices = [
        card("01:00.0", "pci0000:00"),
        card("02:00.0", "pci0000:00"),
        card("81:00.0", "pci0000:80"),
    ]
    cards = [gpu(at_, str(one.address), 0) for at_, one in enumerate(devices)]
    found = machine_tree(facts(TWO[:1], cards, devices))
    assert outline(found) == ["node 0", "  host bridge", "    GPU 0", "    GPU 1", "  GPU 2"]


def test_memory_nodes_tell_whose_they_are_and_empty_ones_share_a_line() -> None:
    nodes = [
        *TWO[:1],
        NumaNode(2, memory_mib=96000, nearest=0),
        NumaNode(3, memory_mib=5000, nearest=0),
        *(NumaNode(number, memory_mib=0) for number in (4, 5, 6, 9)),
    ]
    found = machine_tree(facts(nodes, [replace(gpu(0, "01:00.0", 0), memory_node=2)]))
    assert [one.label for one in found] == ["node 0", "node 2", "node 3", "nodes 4-6,9"]
    assert [one.cells[0] for one in found[1:]] == [
        "memory of GPU 0",
        "memory alone, next to node 0",
        "empty",
    ]


def test_mig_slices_and_cards_without_driver() -> None:
    slices = (MigDevice("MIG-1", "1g.10gb", 9984),)
    found = machine_tree(
        facts(
            TWO[:1],
            [replace(gpu(0, "01:00.0", 0), mig=True, mig_devices=slices)],
            [card("01:00.0", "pci0000:00"), card("02:00.0", "pci0000:00")],
        )
    )
    assert outline(found) == ["node 0", "  GPU 0", "    slice 1g.10gb", "  not served"]
    assert found[0].below[1].cells[1] == "10de:26b9, no driver"


def test_makers_are_told_apart_and_cards_that_nobody_can_use_are_left_out() -> None:
    amd = Gpu(0, "GPU-a", at("02:00.0"), "amd", "AMD Instinct MI210", memory_mib=65520, numa_node=0)
    nics = [
        Nic(at("03:00.0"), "15b3", "1021", "0207", ("ib0",), ("mlx5_0",), numa_node=0),
        Nic(at("03:00.1"), "15b3", "1021", "0207", numa_node=0),
        Nic(at("04:00.0"), "8086", "1572", "0200", ("eth0",), numa_node=0),
    ]
    found = machine_tree(facts(TWO[:1], [gpu(0, "01:00.0", 0), amd], nics=nics))
    assert outline(found) == ["node 0", "  NVIDIA 0", "  AMD 0", "  mlx5_0", "  eth0"]
    assert found[0].below[2].cells[1] == "InfiniBand (ib0)"


@pytest.mark.parametrize(
    ("cpus", "text"),
    [
        ("0-3", "0-3"),
        ("0,2,4,6,8", "0-8 (every 2nd)"),
        ("1,4,7,10,13", "1-13 (every 3rd)"),
        ("0,8,16,24,32", "0-32 (every 8th)"),
        ("0,2,4,6", "0,2,4,6"),
        ("0,2,4,6,9", "0,2,4,6,9"),
        ("", ""),
    ],
)
def test_cpus_dealt_out_in_turn_are_told_in_short(cpus: str, text: str) -> None:
    assert cpus_text(CpuSet.parse(cpus)) == text


def test_many_distances_are_grouped() -> None:
    far = {0: 10, 1: 12, 2: 12, 3: 12, 4: 32, 5: 32}
    node = NumaNode(0, CpuSet.parse("0"), 1000, far, 0)
    (found,) = machine_tree(facts([node]))
    assert found.cells[2] == "nodes 1-3 at 12, nodes 4-5 at 32"

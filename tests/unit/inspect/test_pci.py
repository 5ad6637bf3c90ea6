from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.facts import PcieLink
from provision.host.inspect.numa import read_numa
from provision.host.inspect.pci import (
    is_accelerator,
    link_speed,
    link_width,
    path_class,
    read_accelerators,
)
from provision.host.quantity import CpuSet

from .tree import Machine, two_sockets

H100 = ("030200", "10de", "2330")
ALL = CpuSet.parse("0-7")


def _found(machine: Machine) -> list[tuple[str, int | None, str | None]]:
    nodes = read_numa(machine.tree, ALL).nodes
    return [
        (str(one.address), one.numa_node, None if one.local_cpus is None else str(one.local_cpus))
        for one in read_accelerators(machine.tree, nodes, ALL)
    ]


def test_ids_link_and_driver(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci(
        "pci0000:16/0000:16:02.0/0000:17:00.0",
        H100,
        numa_node=1,
        driver="nvidia",
        local_cpulist="1,3,5,7",
        current_link_speed="2.5 GT/s PCIe",
        max_link_speed="32.0 GT/s PCIe",
        current_link_width="4",
        max_link_width="16",
    )
    nodes = read_numa(machine.tree, ALL).nodes
    (device,) = read_accelerators(machine.tree, nodes, ALL)
    assert (device.vendor, device.vendor_id, device.device_id) == ("nvidia", "10de", "2330")
    assert (device.class_code, device.driver, device.numa_node) == ("0302", "nvidia", 1)
    assert device.link == PcieLink(2.5, 32.0, 4, 16)
    assert str(device.local_cpus) == "1,3,5,7"


def test_locality_without_a_node_number(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:00/0000:01:00.0", H100, numa_node=-1, local_cpulist="0,2,4,6")
    machine.pci("pci0000:00/0000:02:00.0", H100, numa_node=-1, local_cpulist="0-7")
    machine.pci("pci0000:00/0000:03:00.0", H100, local_cpus="000000aa")
    machine.pci("pci0000:00/0000:04:00.0", H100, numa_node=7)  # no such node
    machine.pci("pci0000:00/10000:05:00.0", H100, numa_node=0)
    assert _found(machine) == [
        ("0000:01:00.0", 0, "0,2,4,6"),
        ("0000:02:00.0", None, "0-7"),
        ("0000:03:00.0", 1, "1,3,5,7"),
        ("0000:04:00.0", None, None),
        ("10000:05:00.0", 0, None),
    ]


def test_addresses_are_sorted_as_numbers(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    for address in ("10000:01:00.0", "0001:00:00.0", "0000:c1:00.0", "0000:1b:00.0"):
        machine.pci(f"pci0000:00/{address}", H100, numa_node=0)
    expected = ["0000:1b:00.0", "0000:c1:00.0", "0001:00:00.0", "10000:01:00.0"]
    assert [address for address, _, _ in _found(machine)] == expected


def test_the_port_tells_the_link_of_a_device_without_one(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci(
        "pci0000:00/0000:00:01.0",
        ("060400", "8086", "1234"),
        current_link_speed="16.0 GT/s PCIe",
        current_link_width="8",
    )
    machine.pci("pci0000:00/0000:00:01.0/0000:01:00.0", H100)
    machine.pci("pci0000:00/0000:02:00.0", H100)
    nodes = read_numa(machine.tree, ALL).nodes
    behind, on_root = read_accelerators(machine.tree, nodes, ALL)
    assert behind.link == PcieLink(speed=16.0, width=8)
    assert on_root.link is None


def test_broken_devices_are_passed_over(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:00/0000:01:00.0", ("zz", "10de", "2330"))
    machine.file("/sys/bus/pci/devices/not-an-address/class", "0x030200\n")
    assert _found(machine) == []


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [
        (("0300", "10de", "2684"), True),
        (("0380", "1002", "740f"), True),
        (("0300", "8086", "a7a0"), True),
        (("1200", "1da3", "1020"), True),  # Gaudi
        (("0b40", "1bcf", "001c"), True),  # Vector Engine
        (("0b40", "8086", "225c"), True),  # Xeon Phi
        (("0b40", "8086", "37c8"), False),  # QuickAssist
        (("0300", "1a03", "2000"), False),  # ASPEED BMC
        (("0300", "102b", "0532"), False),  # Matrox BMC
        (("0403", "10de", "22ba"), False),  # the audio function of a GPU
        (("0680", "10de", "22a3"), False),  # NVSwitch
    ],
)
def test_what_counts(ids: tuple[str, str, str], wanted: bool) -> None:
    assert is_accelerator(*ids) is wanted


def test_link_words() -> None:
    assert link_speed("16.0 GT/s PCIe") == 16.0
    assert link_speed("8 GT/s") == 8.0
    assert link_speed("Unknown") is None
    assert link_speed(None) is None
    assert link_width("16") == 16
    assert link_width("0") is None
    assert link_width("255") is None


@pytest.mark.parametrize(
    ("a", "b", "nodes", "path"),
    [
        ("pci0:00/p/s/d1/a", "pci0:00/p/s/d2/b", (0, 0), "PIX"),
        ("pci0:00/p/s/d1/s2/d3/a", "pci0:00/p/s/d2/b", (0, 0), "PXB"),
        ("pci0:00/p/a", "pci0:00/q/b", (0, 0), "PHB"),
        ("pci0:00/p/a", "pci0:16/q/b", (0, 0), "NODE"),
        ("pci0:00/p/a", "pci0:16/q/b", (0, 1), "SYS"),
        ("pci0:00/p/a", "pci0:16/q/b", (0, None), None),
        ("", "pci0:16/q/b", (0, 0), None),
    ],
)
def test_path_classes(a: str, b: str, nodes: tuple[int, int | None], path: str | None) -> None:
    one, two = (tuple(text.split("/")) if text else () for text in (a, b))
    assert path_class(one, two, *nodes) == path

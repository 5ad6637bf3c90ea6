from __future__ import annotations

from pathlib import Path

from provision.host.facts import Nic
from provision.host.inspect.bus.pci import read_bus
from provision.host.inspect.processor.numa import read_numa
from provision.host.quantity import CpuSet

from .tree import Machine, two_sockets

ALL = CpuSet.parse("0-7")
CONNECTX = ("020000", "15b3", "1021")
VIRTUAL = ("020000", "15b3", "101e")


def _nics(machine: Machine) -> tuple[Nic, ...]:
    return read_bus(machine.tree, read_numa(machine.tree, ALL).nodes, ALL).nics


def test_what_a_card_tells(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    path = "pci0000:16/0000:16:01.0/0000:17:00.0"
    machine.pci(
        path,
        ("020700", "15b3", "1021"),
        driver="mlx5_core",
        interfaces=("ibp23s0",),
        local_cpulist="1,3",
        numa_node=-1,
        max_link_speed="32.0 GT/s PCIe",
        current_link_width="16",
        max_link_width="16",
    )
    machine.file(f"/sys/devices/{path}/infiniband/mlx5_0/node_guid", "0\n")
    machine.link(f"/sys/devices/{path}/iommu_group", "/sys/kernel/iommu_groups/7")
    machine.file("/usr/share/hwdata/pci.ids", "15b3  Mellanox\n\t1021  MT2910 [ConnectX-7]\n")
    (nic,) = _nics(machine)
    assert (nic.class_code, nic.vendor_id, nic.device_id) == ("0207", "15b3", "1021")
    assert (nic.interfaces, nic.rdma, nic.driver) == (("ibp23s0",), ("mlx5_0",), "mlx5_core")
    assert (nic.name, nic.numa_node, str(nic.local_cpus)) == ("MT2910 [ConnectX-7]", 1, "1,3")
    assert (nic.root, [str(one) for one in nic.bridges]) == ("pci0000:16", ["0000:16:01.0"])
    assert nic.link and (nic.link.speed_max, nic.link.width) == (32.0, 16)
    assert (nic.iommu_group, nic.virtual) == (7, False)


def test_a_card_of_two_interfaces_and_one_of_none(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:00/0000:01:00.0", CONNECTX, interfaces=("eth1", "eth0"))
    machine.pci("pci0000:00/0000:02:00.0", CONNECTX)
    assert [one.interfaces for one in _nics(machine)] == [("eth0", "eth1"), ()]


def test_the_interface_of_a_virtio_card(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:00/0000:00:03.0", ("020000", "1af4", "1041"), driver="virtio-pci")
    machine.file("/sys/devices/pci0000:00/0000:00:03.0/virtio2/net/enp0s3/mtu", "1500\n")
    assert [one.interfaces for one in _nics(machine)] == [("enp0s3",)]


def test_other_controllers_count_by_their_interface(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:00/0000:01:00.0", ("028000", "8086", "2723"))
    machine.pci("pci0000:00/0000:02:00.0", ("028000", "8086", "2723"), interfaces=("wlan0",))
    machine.pci("pci0000:00/0000:03:00.0", ("020800", "8086", "24f0"), interfaces=("ib0",))
    assert [(one.class_code, one.interfaces) for one in _nics(machine)] == [
        ("0280", ("wlan0",)),
        ("0208", ("ib0",)),
    ]


def test_virtual_functions_count_by_their_interface(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:00/0000:01:00.0", CONNECTX, interfaces=("ens1",))
    for function, more in ((1, ()), (2, ("ens1v1",))):
        path = f"pci0000:00/0000:01:00.{function}"
        machine.pci(path, VIRTUAL, interfaces=more)
        machine.link(f"/sys/devices/{path}/physfn", "../0000:01:00.0")
    assert [(one.interfaces, one.virtual) for one in _nics(machine)] == [
        (("ens1",), False),
        (("ens1v1",), True),
    ]
    bus = read_bus(machine.tree, read_numa(machine.tree, ALL).nodes, ALL)
    assert bus.paths == ()  # it goes its physical function's way

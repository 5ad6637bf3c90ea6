from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.facts import PciDevice, PcieLink
from provision.host.inspect.bus.function import hex_digits, link_speed, link_width
from provision.host.inspect.bus.names import names_in
from provision.host.inspect.bus.pci import is_accelerator, is_nvswitch, read_bus
from provision.host.inspect.processor.numa import read_numa
from provision.host.quantity import CpuSet

from .tree import Machine, port_config, two_sockets

H100 = ("030200", "10de", "2330")
PORT = ("060400", "8086", "1234")
ALL = CpuSet.parse("0-7")
TABLE = """\
# A comment
0010  Allied Telesis, Inc (Wrong ID)
\t2330  Wrong vendor
10de  NVIDIA Corporation
\t22a3  GH100 [H100 NVSwitch]
\t2330  GH100 [H100 SXM5 80GB]
\t\t10de 16c1  H100 board
\t2684  AD102 [GeForce RTX\u2122 4090]
15b3  Mellanox Technologies
\t1021  MT2910 Family [ConnectX-7]
C 03  Display controller
\t00  VGA compatible controller
"""


def _accelerators(machine: Machine) -> tuple[PciDevice, ...]:
    return read_bus(machine.tree, read_numa(machine.tree, ALL).nodes, ALL).accelerators


def _found(machine: Machine) -> list[tuple[str, int | None, str | None]]:
    return [
        (str(one.address), one.numa_node, None if one.local_cpus is None else str(one.local_cpus))
        for one in _accelerators(machine)
    ]


def test_what_a_device_tells(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci(
        "pci0000:16/0000:16:02.0/0000:17:00.0",
        H100,
        numa_node=1,
        driver="nvidia",
        config=port_config(0),
        local_cpulist="1,3,5,7",
        current_link_speed="2.5 GT/s PCIe",
        max_link_speed="32.0 GT/s PCIe",
        current_link_width="4",
        max_link_width="16",
        subsystem_vendor="0x10de",
        subsystem_device="0x16c1",
    )
    machine.link(
        "/sys/devices/pci0000:16/0000:16:02.0/0000:17:00.0/iommu_group",
        "../../../../kernel/iommu_groups/42",
    )
    machine.file("/usr/share/misc/pci.ids", TABLE)
    (device,) = _accelerators(machine)
    assert (device.vendor, device.vendor_id, device.device_id) == ("nvidia", "10de", "2330")
    assert (device.class_code, device.driver, device.numa_node) == ("0302", "nvidia", 1)
    assert device.link == PcieLink(speed_max=32.0, width=4, width_max=16)
    assert str(device.local_cpus) == "1,3,5,7"
    assert (device.subsystem, device.name) == ("10de:16c1", "GH100 [H100 SXM5 80GB]")
    assert (device.root, [str(one) for one in device.bridges]) == ("pci0000:16", ["0000:16:02.0"])
    assert (device.iommu_group, device.virtual, device.answers) == (42, False, True)
    assert device.integrated is None


def test_a_device_that_tells_nothing_more(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:16/0000:17:00.0", H100)
    (device,) = _accelerators(machine)
    assert (device.subsystem, device.name, device.numa_node, device.local_cpus) == (None,) * 4
    assert (device.driver, device.link, device.iommu_group, device.answers) == (None,) * 4


def test_a_recording_without_links(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    for name, value in zip(("class", "vendor", "device"), H100, strict=True):
        machine.file(f"/sys/bus/pci/devices/0000:17:00.0/{name}", f"0x{value}\n")
    (device,) = _accelerators(machine)
    assert (device.device_id, device.bridges, device.root, device.virtual) == (
        "2330",
        (),
        None,
        None,
    )


def test_a_device_that_fell_off_the_bus(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci(
        "pci0000:16/0000:17:00.0",
        H100,
        config=b"\xff" * 4096,
        max_link_speed="Unknown",
        current_link_width="63",
        max_link_width="63",
    )
    (device,) = _accelerators(machine)
    assert device.answers is False
    assert device.link is None


def test_ids_are_read_from_configuration_space_where_files_are_missing(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    folder = "/sys/bus/pci/devices/0000:17:00.0"
    machine.file(f"{folder}/class", "0x030200\n")
    machine.data(f"{folder}/config", bytes.fromhex("de103023") + bytes(60))
    assert [(one.vendor_id, one.device_id) for one in _accelerators(machine)] == [("10de", "2330")]
    machine.data(f"{folder}/config", b"\xff" * 64)
    assert _accelerators(machine) == ()


def test_virtual_functions_are_told(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:16/0000:17:00.0", H100)
    machine.pci("pci0000:16/0000:17:00.4", H100)
    machine.link("/sys/devices/pci0000:16/0000:17:00.4/physfn", "../0000:17:00.0")
    assert [one.virtual for one in _accelerators(machine)] == [False, True]


def test_integrated_graphics(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:00/0000:00:02.0", ("030000", "8086", "a7a0"), current_link_width="0")
    machine.pci("pci0000:00/0000:00:01.0", PORT)
    machine.pci("pci0000:00/0000:00:01.0/0000:03:00.0", ("030000", "8086", "56a0"))
    machine.pci("pci0000:00/0000:04:00.0", ("030000", "1002", "164e"))
    assert [one.integrated for one in _accelerators(machine)] == [True, False, None]
    guest = two_sockets(tmp_path / "guest")  # a Flex card that a virtual machine was given
    guest.pci("pci0000:00/0000:00:02.0", ("038000", "8086", "56c0"), max_link_width="16")
    assert [one.integrated for one in _accelerators(guest)] == [False]


def test_locality_without_a_node_number(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:00/0000:01:00.0", H100, numa_node=-1, local_cpulist="0,2,4,6")
    machine.pci("pci0000:00/0000:02:00.0", H100, numa_node=-1, local_cpulist="0-7")
    machine.pci("pci0000:00/0000:03:00.0", H100, local_cpus="000000aa")
    machine.pci("pci0000:00/0000:04:00.0", H100, numa_node=7)  # no such node
    machine.pci("pci10000:00/10000:05:00.0", H100, numa_node=0)
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
        PORT,
        max_link_speed="16.0 GT/s PCIe",
        current_link_speed="8.0 GT/s PCIe",
        current_link_width="8",
    )
    machine.pci("pci0000:00/0000:00:01.0/0000:01:00.0", H100)
    machine.pci("pci0000:00/0000:00:02.0", H100)
    on_root, behind = _accelerators(machine)
    assert behind.link == PcieLink(speed_max=16.0, width=8)
    assert on_root.link is None


def test_broken_devices_are_passed_over(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:00/0000:01:00.0", ("zz", "10de", "2330"))
    machine.pci("pci0000:00/0000:02:00.0", ("030200", "10de", "9" * 5000))
    machine.pci("pci0000:00/02:00.0", H100)  # not the kernel's way to write it
    machine.file("/sys/bus/pci/devices/not-an-address/class", "0x030200\n")
    machine.data("/sys/bus/pci/devices/0000:03:00.0/class", b"\x00\xff\xfe")
    machine.link("/sys/bus/pci/devices/0000:04:00.0", "../../../devices/pci0000:00/0000:04:00.0")
    assert _found(machine) == []


def test_absurd_values_are_unknown(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    many = "9" * 6000
    machine.pci(
        "pci0000:00/0000:01:00.0",
        H100,
        local_cpulist=many,
        max_link_speed=f"{many} GT/s",
        max_link_width=many,
        subsystem_vendor=many,
        subsystem_device="0x0001",
    )
    machine.link("/sys/devices/pci0000:00/0000:01:00.0/iommu_group", f"../{many[:200]}")
    machine.file("/sys/devices/pci0000:00/0000:01:00.0/numa_node", many)
    (device,) = _accelerators(machine)
    assert (device.link, device.iommu_group, device.numa_node, device.local_cpus) == (None,) * 4
    assert device.subsystem is None


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
        (("0300", "1002", "515e"), False),  # ATI ES1000 of a BMC
        (("0403", "10de", "22ba"), False),  # the audio function of a GPU
        (("0680", "10de", "22a3"), False),  # NVSwitch
    ],
)
def test_what_counts(ids: tuple[str, str, str], wanted: bool) -> None:
    assert is_accelerator(*ids) is wanted


def test_what_an_nvswitch_is() -> None:
    assert is_nvswitch("0680", "10de", "22a3")
    assert is_nvswitch("0680", "10de", "1ac0")
    assert not is_nvswitch("0680", "10de", "0373")  # network function of an nForce chipset
    assert not is_nvswitch("0680", "8086", "22a3")


def test_link_words() -> None:
    assert link_speed("16.0 GT/s PCIe") == 16.0
    assert link_speed("8 GT/s") == 8.0
    assert link_speed("64.0 GT/s PCIe") == 64.0
    assert link_speed("Unknown") is None
    assert link_speed("0 GT/s") is None
    assert link_speed(None) is None
    assert link_width("16") == 16
    assert link_width("1") == 1
    assert link_width("0") is None
    assert link_width("63") is None  # all ones in the register
    assert link_width("255") is None
    assert link_width("\u0661") is None


def test_hexadecimal_words() -> None:
    assert hex_digits("0x030200", 6) == "030200"
    assert hex_digits("10DE", 4) == "10de"
    for text in (None, "", "0x", "zz", "0x1_0", "-1", "0x10de0", "9" * 6000):
        assert hex_digits(text, 4) == ""


def test_names() -> None:
    wanted = {("10de", "2330"), ("10de", "2684"), ("15b3", "1021"), ("10de", "1021"), ("1002", "0")}
    assert names_in(TABLE.encode(), wanted) == {
        ("10de", "2330"): "GH100 [H100 SXM5 80GB]",
        ("10de", "2684"): "AD102 [GeForce RTX\u2122 4090]",
        ("15b3", "1021"): "MT2910 Family [ConnectX-7]",
    }
    assert names_in(b"", wanted) == {}
    assert names_in(b"\xff\x00\n10de", wanted) == {}
    assert names_in(b"10de  NVIDIA\r\n\t2330  \xff\xfe H100\r\n", wanted) == {
        ("10de", "2330"): "\ufffd\ufffd H100"
    }

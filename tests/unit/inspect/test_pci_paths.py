from __future__ import annotations

import pytest

from provision.host.facts import NumaNode, PciBridge
from provision.host.inspect.bus.function import Function, way_of
from provision.host.inspect.bus.ways import path_class, paths_between, paths_by_slot
from provision.host.quantity import CpuSet, PciAddress

TWO = (NumaNode(0, CpuSet.parse("0-3")), NumaNode(1, CpuSet.parse("4-7")))
SWITCH = "pci0000:16/0000:16:01.0/0000:17:00.0"  # root port and upstream port
CASCADE = f"{SWITCH}/0000:18:04.0/0000:1b:00.0"  # a second switch below a port of the first
DEEP = f"{CASCADE}/0000:1c:00.0/0000:1d:00.0"
FIRST = "pci0000:00/0000:00:01.0/0000:01:00.0"
VMD = "pci0000:d7/0000:d7:05.5/pci10000:00"


def _way(path: str) -> tuple[str, ...]:
    way = way_of(f"/sys/devices/{path}")
    assert way, path
    return way


def _function(path: str) -> Function:
    way = _way(path)
    return Function(PciAddress.parse(way[-1]), f"/sys/devices/{path}", "0302", "10de", "2330", way)


@pytest.mark.parametrize(
    ("a", "b", "path"),
    [
        # Two ports of one switch.
        (f"{SWITCH}/0000:18:00.0/0000:19:00.0", f"{SWITCH}/0000:18:01.0/0000:1a:00.0", "PIX"),
        # A switch below a switch, and two of them.
        (f"{SWITCH}/0000:18:00.0/0000:19:00.0", f"{CASCADE}/0000:1c:00.0/0000:1d:00.0", "PXB"),
        (f"{SWITCH}/0000:18:08.0/0000:2b:00.0/0000:2c:00.0/0000:2d:00.0", DEEP, "PXB"),
        (f"{CASCADE}/0000:1c:01.0/0000:1e:00.0", DEEP, "PIX"),
        # Two functions of one device; two devices on a conventional bus.
        (f"{SWITCH}/0000:18:00.0/0000:19:00.0", f"{SWITCH}/0000:18:00.0/0000:19:00.1", "PIX"),
        ("pci0000:00/0000:00:1e.0/0000:09:03.0", "pci0000:00/0000:00:1e.0/0000:09:04.0", "PIX"),
        # Two root ports, and the root bus itself.
        (FIRST, "pci0000:00/0000:00:02.0/0000:02:00.0", "PHB"),
        ("pci0000:00/0000:00:05.0", "pci0000:00/0000:00:06.0", "PHB"),
        ("pci0000:00/0000:00:05.0", "pci0000:00/0000:00:05.1", "PHB"),
        ("pci0000:16/0000:16:02.0/0000:20:00.0", DEEP, "PHB"),
        # Behind a VMD, and beside it.
        (f"{VMD}/10000:00:02.0/10000:01:00.0", f"{VMD}/10000:00:03.0/10000:02:00.0", "PHB"),
        (f"{VMD}/10000:00:02.0/10000:01:00.0", "pci0000:d7/0000:d7:00.0/0000:d8:00.0", "PHB"),
    ],
)
def test_path_classes_below_one_root(a: str, b: str, path: str) -> None:
    assert path_class(_way(a), _way(b), 0, 0) == path
    assert path_class(_way(b), _way(a), None, None) == path


def test_path_classes_of_two_roots() -> None:
    a, b = _way(FIRST), _way(DEEP)
    assert path_class(a, b, 1, 1) == "NODE"
    assert path_class(a, b, 0, 1) == "SYS"


def test_a_path_that_is_not_told() -> None:
    a, b = _way("pci0000:00/0000:00:01.0"), _way("pci0000:16/0000:16:01.0")
    assert path_class(a, b, 0, None) is None
    assert path_class(a, b, None, None) is None
    assert path_class((), b, 0, 0) is None
    assert path_class(a, (), 0, 1) is None


def test_ways() -> None:
    assert way_of("/sys/devices/platform/10.pcie/pci0009:00/0009:00:00.0") == (
        "pci0009:00",
        "0009:00:00.0",
    )
    assert way_of("/sys/bus/pci/devices/0000:17:00.0") == ()
    assert way_of("/sys/devices/pci0000:00/virtio0") == ()
    function = _function(f"{VMD}/10000:00:02.0/10000:01:00.0")
    assert (function.root, [str(one) for one in function.bridges]) == (
        "pci10000:00",
        ["10000:00:02.0"],
    )


def test_pairs_of_a_machine() -> None:
    ends = [
        (_function("pci0000:00/0000:00:01.0/0000:01:00.0"), 0),
        (_function("pci0000:40/0000:40:01.0/0000:41:00.0"), 0),
        (_function("pci0000:80/0000:80:01.0/0000:81:00.0"), 1),
        (_function("pci0000:c0/0000:c0:01.0/0000:c1:00.0"), None),
        (Function(PciAddress.parse("0000:d1:00.0"), "/sys/bus", "0302", "10de", "2330"), 0),
    ]
    paths = paths_between(ends, (), TWO)
    assert [(one.a.bus, one.b.bus, one.path) for one in paths] == [
        (0x01, 0x41, "NODE"),
        (0x01, 0x81, "SYS"),
        (0x41, 0x81, "SYS"),
    ]
    by_slot = paths_by_slot(paths)
    assert by_slot[(0, 0x81, 0), (0, 0x01, 0)] == by_slot[(0, 0x01, 0), (0, 0x81, 0)] == "SYS"
    assert len(by_slot) == 6


def test_a_machine_of_one_node_needs_no_node_numbers() -> None:
    ends = [
        (_function("pci0000:00/0000:00:01.0/0000:01:00.0"), None),
        (_function("pci0000:40/0000:40:01.0/0000:41:00.0"), 0),
    ]
    with_memory_node = (*TWO[:1], NumaNode(2, CpuSet()))
    for nodes in (TWO[:1], with_memory_node, ()):
        assert [one.path for one in paths_between(ends, (), nodes)] == ["NODE"]


def test_a_device_on_a_node_of_memory_is_near_that_nodes_cpus() -> None:
    nodes = (*TWO, NumaNode(2, CpuSet(), distances={0: 28, 1: 17, 2: 10}))
    ends = [
        (_function("pci0000:00/0000:00:01.0/0000:01:00.0"), 1),
        (_function("pci0000:40/0000:40:01.0/0000:41:00.0"), 2),
    ]
    assert [one.path for one in paths_between(ends, (), nodes)] == ["NODE"]


def _redirected(left: bool | None, right: bool | None, inner: bool | None) -> list[bool | None]:
    """Of a GPU at a port of the first switch, one at the other port, one behind the second."""
    ends = [
        (_function(f"{SWITCH}/0000:18:00.0/0000:19:00.0"), 0),
        (_function(f"{SWITCH}/0000:18:01.0/0000:1a:00.0"), 0),
        (_function(f"{SWITCH}/0000:18:01.0/0000:1b:00.0/0000:1c:00.0/0000:1d:00.0"), 0),
    ]
    acs = {"0000:18:00.0": left, "0000:18:01.0": right, "0000:1c:00.0": inner}
    bridges = [PciBridge(PciAddress.parse(name), acs_redirect=on) for name, on in acs.items()]
    return [one.acs_redirect for one in paths_between(ends, bridges, TWO)]


def test_redirection_is_decided_where_the_ways_part() -> None:
    assert _redirected(False, False, False)[:2] == [False, False]
    assert _redirected(True, False, False)[:2] == [True, True]
    assert _redirected(None, True, False)[:2] == [True, True]
    assert _redirected(False, None, False)[:2] == [None, None]
    # The inner switch's port sends such requests up whether or not it redirects.
    assert _redirected(False, False, True)[1] is False


def test_redirection_is_not_asked_over_the_root() -> None:
    ends = [
        (_function("pci0000:00/0000:00:01.0/0000:01:00.0"), 0),
        (_function("pci0000:00/0000:00:02.0/0000:02:00.0"), 0),
        (_function("pci0000:00/0000:00:02.0/0000:02:00.1"), 0),
    ]
    ports = [PciBridge(PciAddress.parse(f"0000:00:0{at}.0"), acs_redirect=True) for at in (1, 2)]
    found = [(one.path, one.acs_redirect) for one in paths_between(ends, ports, TWO)]
    assert found == [("PHB", None), ("PHB", None), ("PIX", None)]

"""The bus as a whole, of machines built as real ones are."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from provision.host.facts import LinkNow, PciBridge, PcieLink
from provision.host.inspect.bus.bridges import corrected_kind, slot_place
from provision.host.inspect.bus.bus import Bus
from provision.host.inspect.bus.pci import read_bus
from provision.host.inspect.processor.numa import read_numa
from provision.host.quantity import CpuSet, PciAddress

from .tree import DOWNSTREAM, ROOT_PORT, TO_PCI, UPSTREAM, Machine, port_config, two_sockets

ALL = CpuSet.parse("0-7")
H100 = ("030200", "10de", "2330")
NIC = ("020000", "15b3", "1021")
PORT = ("060400", "1000", "c030")
REDIRECT = 0x1D
X16 = (16, 16)
X4 = (4, 16)


def _bus(machine: Machine) -> Bus:
    return read_bus(machine.tree, read_numa(machine.tree, ALL).nodes, ALL)


def _switch(
    machine: Machine, *, size: int = 4096, acs: tuple[int | None, int | None] = (0, 0)
) -> None:
    """Two GPUs and a NIC at one switch of socket 1, a GPU at a root port of socket 0."""
    root = "pci0000:16/0000:16:01.0"
    up = f"{root}/0000:17:00.0"
    machine.pci(root, PORT, numa_node=1, config=port_config(ROOT_PORT, size=size), lanes=X16)
    machine.pci(up, PORT, numa_node=1, config=port_config(UPSTREAM, size=size), lanes=X16)
    for at, control in enumerate((*acs, None)):
        config = port_config(DOWNSTREAM, control, size)
        machine.pci(f"{up}/0000:18:0{at}.0", PORT, numa_node=1, config=config, lanes=X16)
    machine.pci(f"{up}/0000:18:00.0/0000:19:00.0", H100, numa_node=1, lanes=X4)
    machine.pci(f"{up}/0000:18:01.0/0000:1a:00.0", H100, numa_node=1, lanes=X16)
    machine.pci(f"{up}/0000:18:02.0/0000:1b:00.0", NIC, numa_node=1, lanes=X16)
    config = port_config(ROOT_PORT, 0, size)
    machine.pci("pci0000:00/0000:00:01.0", PORT, numa_node=0, config=config, lanes=X16)
    machine.pci("pci0000:00/0000:00:01.0/0000:01:00.0", H100, numa_node=0, lanes=X16)


def _by_address(bus: Bus) -> dict[str, PciBridge]:
    return {str(one.address): one for one in bus.bridges}


def _paths(bus: Bus) -> dict[tuple[int, int], tuple[str, bool | None]]:
    return {(one.a.bus, one.b.bus): (one.path, one.acs_redirect) for one in bus.paths}


def test_bridges_of_a_switch(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    _switch(machine)
    bridges = _by_address(_bus(machine))
    assert {name: one.kind for name, one in bridges.items()} == {
        "0000:00:01.0": "root-port",
        "0000:16:01.0": "root-port",
        "0000:17:00.0": "upstream",
        "0000:18:00.0": "downstream",
        "0000:18:01.0": "downstream",
        "0000:18:02.0": "downstream",
    }
    one = bridges["0000:18:00.0"]
    assert (one.vendor_id, one.device_id, one.numa_node) == ("1000", "c030", 1)
    assert one.link == PcieLink(speed_max=16.0, width=16, width_max=16)


def test_kinds_by_place_for_users_other_than_root(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    _switch(machine, size=64)
    bridges = _by_address(_bus(machine))
    assert [one.kind for one in bridges.values()] == [
        "root-port",
        "root-port",
        "upstream",
        "downstream",
        "downstream",
        "downstream",
    ]
    assert {one.acs_redirect for one in bridges.values()} == {None}


def test_a_kind_that_no_place_proves(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    bridge = "pci0000:00/0000:00:1e.0"  # to conventional PCI, perhaps
    machine.pci(bridge, PORT, lanes=X16)
    machine.pci(f"{bridge}/0000:09:03.0", NIC)
    machine.pci("pci0000:00/0000:00:1f.0", PORT)  # old kernels have no link files
    machine.pci("pci0000:00/0000:00:1f.0/0000:0a:00.0", NIC)
    assert [one.kind for one in _bus(machine).bridges] == [None, None]
    machine.data(f"/sys/devices/{bridge}/config", port_config(TO_PCI))
    assert [one.kind for one in _bus(machine).bridges] == ["bridge", None]


def test_ports_that_are_mixed_up() -> None:
    assert corrected_kind("downstream", "root-port") == "upstream"
    assert corrected_kind("upstream", "upstream") == "downstream"
    assert corrected_kind("downstream", "upstream") == "downstream"
    assert corrected_kind("upstream", None) == "upstream"
    assert corrected_kind("root-port", None) == "root-port"


def test_a_card_in_a_slot_of_four_lanes(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:00/0000:00:01.0", PORT, lanes=(4, 4))
    machine.pci("pci0000:00/0000:00:01.0/0000:01:00.0", H100, lanes=X4)
    bus = _bus(machine)
    assert bus.bridges[0].link == PcieLink(speed_max=16.0, width=4, width_max=4)
    assert bus.accelerators[0].link == PcieLink(speed_max=16.0, width=4, width_max=16)
    assert bus.accelerators[0].bridges == (bus.bridges[0].address,)
    assert bus.links == (
        LinkNow(PciAddress.parse("0000:00:01.0"), 2.5),
        LinkNow(PciAddress.parse("0000:01:00.0"), 2.5),
    )


def test_paths_with_access_control_off(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    _switch(machine)
    bus = _bus(machine)
    assert _paths(bus) == {
        (0x01, 0x19): ("SYS", None),
        (0x01, 0x1A): ("SYS", None),
        (0x01, 0x1B): ("SYS", None),
        (0x19, 0x1A): ("PIX", False),
        (0x19, 0x1B): ("PIX", False),  # its port has no such capability
        (0x1A, 0x1B): ("PIX", False),
    }
    assert bus.by_slot[(0, 0x1A, 0), (0, 0x19, 0)] == "PIX"
    assert bus.by_slot[(0, 0x19, 0), (0, 0x01, 0)] == "SYS"


def test_paths_with_access_control_on_at_one_port(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    _switch(machine, acs=(REDIRECT, 0))
    bus = _bus(machine)
    assert _by_address(bus)["0000:18:00.0"].acs_redirect is True
    assert _by_address(bus)["0000:17:00.0"].acs_redirect is None  # it faces up
    paths = _paths(bus)
    assert paths[0x19, 0x1A] == ("PIX", True)
    assert paths[0x1A, 0x1B] == ("PIX", False)
    assert paths[0x01, 0x19] == ("SYS", None)


def test_paths_with_access_control_that_may_not_be_read(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    _switch(machine, size=64, acs=(REDIRECT, REDIRECT))
    assert _paths(_bus(machine))[0x19, 0x1A] == ("PIX", None)


def test_unknown_nodes_leave_pairs_of_two_roots_out(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    for path in ("pci0000:00/0000:00:01.0/0000:01:00.0", "pci0000:16/0000:16:01.0/0000:17:00.0"):
        machine.pci(path, H100, numa_node=-1)
    assert _bus(machine).paths == ()


def test_slots(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    _switch(machine)
    for name, address in {
        "4": "0000:19:00",
        "4-1": "0000:19:00",
        "6": "0000:1a",
        "7": "0000:01:01",
        "rubbish": "x",
    }.items():
        machine.file(f"/sys/bus/pci/slots/{name}/address", f"{address}\n")
    slots = {name: one.slot for name, one in _by_address(_bus(machine)).items() if one.slot}
    assert slots == {"0000:18:00.0": "4", "0000:18:01.0": "6"}
    assert slot_place("10000:17:1f") == (0x10000, 0x17, 0x1F)
    assert slot_place("0000:17:00.0") is None
    assert slot_place("") is None


def test_nvswitches_have_bridges_but_no_paths(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:00/0000:00:01.0/0000:01:00.0", H100, numa_node=0)
    machine.pci("pci0000:00/0000:00:02.0/0000:05:00.0", ("068000", "10de", "22a3"), numa_node=0)
    bus = _bus(machine)
    assert [str(one.address) for one in bus.nvswitches] == ["0000:05:00.0"]
    assert [str(one.address) for one in bus.accelerators] == ["0000:01:00.0"]
    # Bridges are there even where nothing of theirs was recorded.
    assert bus.bridges == tuple(PciBridge(PciAddress.parse(f"0000:00:0{at}.0")) for at in (1, 2))
    assert bus.paths == ()


def test_only_what_matters_is_read(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.pci("pci0000:00/0000:00:1f.0", ("060100", "8086", "a304"), numa_node=0)
    machine.pci("pci0000:00/0000:00:01.0", PORT, numa_node=0, lanes=X16)
    machine.pci("pci0000:00/0000:00:01.0/0000:01:00.0", ("010802", "144d", "a808"), numa_node=0)
    machine.pci("pci0000:00/0000:00:01.0/0000:02:00.0", ("030000", "1a03", "2000"), numa_node=0)
    assert _bus(machine) == Bus()


def test_a_machine_without_a_bus(tmp_path: Path) -> None:
    assert _bus(two_sockets(tmp_path)) == Bus()


def _strings_and_lanes(facts: object) -> list[object]:
    """All texts, and all numbers of links, in a dataclass of facts."""
    if isinstance(facts, PcieLink):
        return [one for one in dataclasses.astuple(facts) if one is not None]
    if dataclasses.is_dataclass(facts) and not isinstance(facts, (PciAddress, CpuSet)):
        fields = dataclasses.fields(facts)
        return [one for name in fields for one in _strings_and_lanes(getattr(facts, name.name))]
    if isinstance(facts, tuple):
        return [one for part in facts for one in _strings_and_lanes(part)]
    return [facts] if isinstance(facts, str) else []


RUBBISH = (b"", b"0", b"-1\n", b"9" * 6000, b"0x\n", b"Unknown", b"\xff" * 4096, bytes(4096))


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from((None, *RUBBISH))), max_size=40))
@settings(max_examples=25, deadline=None)
def test_missing_and_broken_files_make_nothing_up(changes: list[tuple[int, bytes | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        machine = two_sockets(Path(folder))
        _switch(machine, acs=(REDIRECT, 0))
        whole = _bus(machine)
        there = sorted(one for one in (Path(folder) / "sys").rglob("*") if not one.is_dir())
        for at, content in changes:
            place = there[at % len(there)]
            if content is None:
                place.unlink(missing_ok=True)
            elif not place.is_symlink():
                place.write_bytes(content)
        bus = _bus(machine)
    assert all(_strings_and_lanes(bus))
    assert {one.address for one in bus.accelerators} <= {one.address for one in whole.accelerators}
    known = {(one.a, one.b): one.path for one in whole.paths}
    told = {(one.a, one.b): one.path for one in bus.paths}
    below_one_root = {"PIX", "PXB", "PHB"}
    assert all(known[pair] == path for pair, path in told.items() if path in below_one_root)

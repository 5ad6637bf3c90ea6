"""How two GPUs are joined: NVLinks, NVSwitch and its fabric, peer-to-peer, the PCIe path."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.host.facts import GpuLink, NvLink
from provision.host.inspect.bus.bus import Bus
from provision.host.inspect.nvidia.answers import NvmlAnswers, NvmlGpu, NvmlLink, NvmlPair
from provision.host.inspect.nvidia.links import nvlinks
from provision.host.inspect.nvidia.nvidia import read_answers
from provision.host.quantity import PciAddress
from tests.standin.build import PHB, PIX, PXB, line, machine_table, table_text

from .driver import Driver

_OK, _NS, _UNKNOWN = 0, 5, 6
_GPU, _NPU, _SWITCH = 0, 1, 2


def _gpu(index: int, bus: str, links: tuple[NvmlLink, ...] | None = None) -> NvmlGpu:
    return NvmlGpu(index, f"GPU-{index}", bus, links=links)


def _links(count: int, kind: int | None, remote: str | None) -> tuple[NvmlLink, ...]:
    return tuple(NvmlLink(at, True, 4, kind, remote) for at in range(count))


_TO_B, _TO_A = _links(4, _GPU, "00000000:02:00.0"), _links(4, _GPU, "0:1:0.0")
_SWITCHED = _links(18, _SWITCH, "0:5:0.0")


@pytest.mark.parametrize(
    ("one", "two", "over_nvlink", "count"),
    [
        (_TO_B, _TO_A, _OK, 4),
        (_TO_B, None, None, 4),  # the other end could not be asked
        (_links(4, None, "0:2:0.0"), None, None, 4),  # nor the kind of the end
        (_links(4, _GPU, "0:9:0.0"), (), None, 0),  # to somebody else
        (_SWITCHED, _SWITCHED[:16], _OK, 16),
        (_SWITCHED, _SWITCHED, None, 18),
        (_SWITCHED, _SWITCHED, _UNKNOWN, 18),
        (_SWITCHED, _SWITCHED, _NS, 0),  # no fabric manager
        (_SWITCHED, (), None, 0),
        (_links(6, _NPU, "0:6:0.0"), _links(6, _NPU, "0:6:0.0"), None, 0),  # POWER9: to the CPU
        ((), (), _OK, 0),
        ((), (), None, 0),
        ((NvmlLink(0, False),), (NvmlLink(0, False),), None, 0),
        # A link of which it is not told whether it is up may be one between them.
        ((NvmlLink(0, False), NvmlLink(1)), (NvmlLink(0, False),), None, None),
        ((*_SWITCHED, NvmlLink(18)), _SWITCHED, None, 18),
        (None, None, None, None),
        (None, _SWITCHED, _OK, None),
        ((), None, None, None),
        # Neither kind nor a GPU's address: a switch when data goes over it.
        (_links(6, None, "0:7:0.0"), _links(5, None, "0:7:0.0"), _OK, 5),
        (_links(6, None, None), _links(6, None, None), None, None),
        (_links(6, None, None), _links(6, None, None), _NS, 0),
    ],
)
def test_nvlinks(
    one: tuple[NvmlLink, ...] | None,
    two: tuple[NvmlLink, ...] | None,
    over_nvlink: int | None,
    count: int | None,
) -> None:
    a, b = _gpu(0, "0:1:0.0", one), _gpu(1, "0:2:0.0", two)
    pair = NvmlPair(0, 1, nvlink=over_nvlink)
    assert nvlinks(a, b, pair) == count
    assert nvlinks(b, a, pair) == count


@pytest.mark.parametrize(
    ("state", "status", "over_nvlink", "count"),
    [
        (None, None, None, 18),
        (0, 0, None, 18),  # A100: its fabric needs no setting up by the GPU
        (0, 0, _NS, 0),
        (1, 0, None, 0),
        (2, 0, _OK, 0),  # not yet, whatever else is said
        (3, 0, None, 18),
        (3, 0, _NS, 18),
        (3, 999, None, 0),
        (3, None, _OK, 18),
    ],
)
def test_links_through_a_switch_need_its_fabric(
    state: int | None, status: int | None, over_nvlink: int | None, count: int
) -> None:
    a, b = (
        replace(_gpu(at, f"0:{at + 1}:0.0", _SWITCHED), fabric_state=state, fabric_status=status)
        for at in range(2)
    )
    assert nvlinks(a, b, NvmlPair(0, 1, nvlink=over_nvlink)) == count
    assert nvlinks(a, replace(b, fabric_state=1), NvmlPair(0, 1)) == 0


def test_the_number_of_a_matrix_is_taken_as_it_is() -> None:
    a, b = _gpu(0, "0:1:0.0"), _gpu(1, "0:2:0.0")
    assert nvlinks(a, b, NvmlPair(0, 1, nvlinks=12)) == 12
    assert nvlinks(a, b, NvmlPair(0, 1, nvlinks=0)) == 0
    assert nvlinks(replace(a, bus=None), b) is None


@pytest.mark.parametrize(
    ("status", "p2p", "word"),
    [
        (0, True, "OK"),
        (1, False, "CNS"),
        (2, False, "GNS"),
        (3, False, "TNS"),
        (4, False, "DR"),
        (5, False, "NS"),
        (6, None, None),
        (99, None, None),
        (None, None, None),
    ],
)
def test_peer_to_peer(status: int | None, p2p: bool | None, word: str | None) -> None:
    gpus = (_gpu(0, "0:1:0.0"), _gpu(1, "0:2:0.0"))
    answers = NvmlAnswers(gpus=gpus, pairs=(NvmlPair(0, 1, 30, p2p=status),))
    (link,) = read_answers(answers, Bus(), ()).links
    assert link == GpuLink("GPU-0", "GPU-1", "PHB", None, None, p2p, word)


def test_paths_of_the_bus_fill_what_nvml_leaves_out() -> None:
    gpus = (_gpu(0, "0:1:0.0"), _gpu(1, "0:2:0.0"))
    bus = Bus(by_slot={((0, 1, 0), (0, 2, 0)): "PIX"})
    assert read_answers(NvmlAnswers(gpus=gpus), bus, ()).links[0].path == "PIX"
    for ancestor, path in ((0, "PIX"), (10, "PIX"), (20, "PXB"), (50, "SYS"), (77, "PIX")):
        told = NvmlAnswers(gpus=gpus, pairs=(NvmlPair(1, 0, ancestor),))
        assert read_answers(told, bus, ()).links[0].path == path
    assert read_answers(NvmlAnswers(gpus=gpus), Bus(), ()).links[0].path is None


def test_own_links_by_number() -> None:
    told = (
        NvmlLink(3, True, 6, _SWITCH, "00000000:05:00.0"),
        NvmlLink(1, False),
        NvmlLink(2, None),
        NvmlLink(0, True, None, _GPU, "rubbish"),
    )
    (gpu,) = read_answers(NvmlAnswers(gpus=(_gpu(0, "0:1:0.0", told),)), Bus(), ()).gpus
    assert gpu.nvlinks == (
        NvLink(0, True, None, "gpu"),
        NvLink(1, False),
        NvLink(2),
        NvLink(3, True, 6, "switch", PciAddress.parse("0000:05:00.0")),
    )


def _matrix(driver: Driver, table: str) -> list[tuple[str | None, int | None, str | None]]:
    found = read_answers(driver.ask(table), Bus(), ())
    return [(one.path, one.nvlinks, one.p2p_status) for one in found.links]


def test_machines_of_the_stand_in(driver: Driver) -> None:
    assert _matrix(driver, machine_table("2x3090-nvlink")) == [("PHB", 4, "OK")]
    assert _matrix(driver, machine_table("mixed-24-12")) == [("PHB", 0, "GNS")]
    eight = _matrix(driver, machine_table("8xh100-nvswitch"))
    assert {count for _, count, _ in eight} == {18}
    assert [path for path, _, _ in eight].count("SYS") == 16
    four = _matrix(driver, machine_table("4xh100-2node"))
    assert [path for path, _, _ in four] == ["NODE", "SYS", "SYS", "SYS", "SYS", "NODE"]


def test_two_bridged_pairs(driver: Driver) -> None:
    buses = [f"0000:{bus}:00.0" for bus in ("01", "21", "41", "61")]
    bridges = {(0, 1): 4, (2, 3): 4}
    table = table_text(buses, "3090", nvlinks=bridges, ancestors={(0, 1): PIX}, near=PXB, p2p=2)
    told = _matrix(driver, table)
    apart = ("PXB", 0, "GNS")
    assert told == [("PIX", 4, "OK"), apart, apart, apart, apart, ("PXB", 4, "OK")]


def test_a_fabric_that_is_down(driver: Driver) -> None:
    buses = ("0000:1b:00.0", "0000:43:00.0")
    down = table_text(buses, switch_links=18, fabric_state=2)
    found = read_answers(driver.ask(down), Bus(), ())
    assert [gpu.nvlink_fabric for gpu in found.gpus] == ["in-progress"] * 2
    assert [len(gpu.nvlinks) for gpu in found.gpus] == [18, 18]
    assert found.links[0].nvlinks == 0


def test_the_least_of_both_when_some_are_down(driver: Driver) -> None:
    buses = ("0000:1b:00.0", "0000:43:00.0")
    more = [line("switch", gpu=0, links=18), line("switch", gpu=1, links=18, down=3)]
    assert _matrix(driver, table_text(buses, near=PHB, more=more))[0][1] == 15


def test_an_a100_switch_machine_knows_no_fabric_state(driver: Driver) -> None:
    buses = ("0000:07:00.0", "0000:0f:00.0")
    table = table_text(buses, "a100", switch_links=12, switches=["0000:c4:00.0"])
    found = read_answers(driver.ask(table), Bus(), ())
    assert {gpu.nvlink_fabric for gpu in found.gpus} == {"not-supported"}
    assert found.links[0].nvlinks == 12


def test_a_link_state_that_nobody_may_ask(driver: Driver) -> None:
    table = table_text(
        ("0000:01:00.0", "0000:02:00.0"),
        "3090",
        nvlinks={(0, 1): 4},
        errors=[("nvmlDeviceGetNvLinkState", None, 4)],
    )
    assert _matrix(driver, table) == [("NODE", None, "OK")]

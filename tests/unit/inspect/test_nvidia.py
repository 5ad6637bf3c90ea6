from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from provision.host.inspect.numa import read_numa
from provision.host.inspect.nvidia import (
    Nvidia,
    mig_profile,
    nvlinks,
    read_answers,
)
from provision.host.inspect.nvidia_smi import parse_table
from provision.host.inspect.nvml import (
    NvmlAnswers,
    NvmlGpu,
    NvmlLink,
    NvmlMig,
    NvmlPair,
    NvmlProcess,
)
from provision.host.inspect.pci import read_accelerators
from provision.host.quantity import CpuSet
from tests.standin.build import machine_table

from .driver import Driver
from .tree import two_sockets

ALL = CpuSet.parse("0-7")


def _facts(tmp_path: Path, answers: NvmlAnswers, **buses: int | None) -> Nvidia:
    """The facts on a machine of two sockets with GPUs on these buses, at these nodes."""
    machine = two_sockets(tmp_path / "host")
    for bus, node in buses.items():
        path = f"pci0000:00/0000:{bus[1:]}:00.0"
        machine.pci(path, ("030200", "10de", "2330"), numa_node=-1 if node is None else node)
    nodes = read_numa(machine.tree, ALL).nodes
    return read_answers(answers, read_accelerators(machine.tree, nodes, ALL), nodes, {})


def _gpu(index: int, bus: str | None, uuid: str | None) -> NvmlGpu:
    return NvmlGpu(index, uuid, bus)


def test_index_is_pci_order_whatever_nvml_counts(tmp_path: Path) -> None:
    answers = NvmlAnswers(
        gpus=(
            replace(_gpu(0, "00000000:C1:00.0", "GPU-c"), used_bytes=5 << 20),
            _gpu(1, "00010000:01:00.0", "GPU-far"),
            _gpu(2, "00000000:1B:00.0", "GPU-a"),
        ),
        pairs=(NvmlPair(0, 1, 50), NvmlPair(0, 2, 40, p2p=True), NvmlPair(1, 2, 20)),
    )
    facts = _facts(tmp_path, answers, b1b=0, bc1=1)
    assert [(gpu.index, gpu.uuid, str(gpu.address), gpu.numa_node) for gpu in facts.gpus] == [
        (0, "GPU-a", "0000:1b:00.0", 0),
        (1, "GPU-c", "0000:c1:00.0", 1),
        (2, "GPU-far", "10000:01:00.0", None),
    ]
    assert [(link.a, link.b, link.path, link.p2p) for link in facts.links] == [
        ("GPU-a", "GPU-c", "NODE", True),
        ("GPU-a", "GPU-far", "PXB", None),
        ("GPU-c", "GPU-far", "SYS", None),
    ]
    assert [one.memory_used_mib for one in facts.now] == [None, 5, None]


def test_gpus_that_cannot_be_named_are_complained_about(tmp_path: Path) -> None:
    gpus = (_gpu(0, None, "GPU-x"), _gpu(1, "00000000:01:00.0", None), _gpu(2, "rubbish", "GPU-y"))
    facts = _facts(tmp_path, NvmlAnswers(gpus=gpus, lost=("GPU 3 of NVML: GPU is lost",)))
    assert facts.gpus == ()
    assert facts.complaints == (
        "GPU 3 of NVML: GPU is lost",
        "GPU 0 of NVML tells no PCI address",
        "GPU 1 of NVML tells no UUID",
        "GPU 2 of NVML tells no PCI address",
    )


def test_watts_mebibytes_mig_and_processes(tmp_path: Path) -> None:
    told = replace(
        _gpu(0, "0:1:0.0", "GPU-a"),
        power_min=100500,
        power_limit=350000,
        memory_bytes=(24576 << 20) + 1,
        mig=True,
        mig_devices=(NvmlMig("MIG-a", "NVIDIA A100 MIG 1g.5gb", 4864 << 20),),
        processes=(NvmlProcess(7, None), NvmlProcess(9, 3 << 20)),
    )
    facts = _facts(tmp_path, NvmlAnswers(gpus=(told,)))
    assert (facts.gpus[0].power_min_watts, facts.gpus[0].memory_mib) == (100.5, 24576)
    assert facts.now[0].power_limit_watts == 350.0
    assert facts.gpus[0].power_max_watts is None
    (mig,) = facts.gpus[0].mig_devices
    assert (mig.uuid, mig.profile, mig.memory_mib) == ("MIG-a", "1g.5gb", 4864)
    assert [(one.pid, one.memory_mib) for one in facts.processes] == [(7, None), (9, 3)]
    assert mig_profile("NVIDIA A100") is None


def test_paths_of_the_bus_fill_what_nvml_leaves_out() -> None:
    gpus = (_gpu(0, "0:1:0.0", "GPU-a"), _gpu(1, "0:2:0.0", "GPU-b"))
    nvidia = read_answers(NvmlAnswers(gpus=gpus), (), (), {((0, 1, 0), (0, 2, 0)): "PIX"})
    assert nvidia.links[0].path == "PIX"
    told = NvmlAnswers(gpus=gpus, pairs=(NvmlPair(0, 1, 50),))
    assert read_answers(told, (), (), {}).links[0].path == "SYS"
    assert read_answers(NvmlAnswers(gpus=gpus), (), (), {}).links[0].path is None


@pytest.mark.parametrize(
    ("one", "two", "confirmed", "count"),
    [
        (4 * [(0, "0:2:0.0")], 4 * [(0, "0:1:0.0")], True, 4),
        (4 * [(0, "0:2:0.0")], [], None, 4),  # the other end could not be asked
        (4 * [(None, "00000000:02:00.0")], [], None, 4),
        (4 * [(0, "0:9:0.0")], [], None, 0),
        (18 * [(2, "0:5:0.0")], 16 * [(2, None)], True, 16),
        (18 * [(2, "0:5:0.0")], 18 * [(2, None)], None, 18),
        (18 * [(2, "0:5:0.0")], 18 * [(2, None)], False, 0),  # no fabric manager
        (6 * [(1, "0:6:0.0")], 6 * [(1, "0:6:0.0")], None, 0),  # POWER9: NVLinks to the CPU
        ([], [], True, 0),
    ],
)
def test_nvlinks(
    one: list[tuple[int | None, str | None]],
    two: list[tuple[int | None, str | None]],
    confirmed: bool | None,
    count: int,
) -> None:
    a = NvmlGpu(0, "GPU-a", "0:1:0.0", links=tuple(NvmlLink(*link) for link in one))
    b = NvmlGpu(1, "GPU-b", "0:2:0.0", links=tuple(NvmlLink(*link) for link in two))
    assert nvlinks(a, b, confirmed) == count
    assert nvlinks(b, a, confirmed) == count


def test_machines_of_the_stand_in(tmp_path: Path, driver: Driver) -> None:
    pair = _facts(tmp_path / "1", driver.ask(machine_table("2x3090-nvlink")), b01=0, b02=0)
    assert [(link.path, link.nvlinks) for link in pair.links] == [("PHB", 4)]
    eight = _facts(tmp_path / "2", driver.ask(machine_table("8xh100-nvswitch")))
    assert {link.nvlinks for link in eight.links} == {18}
    four = _facts(
        tmp_path / "3", driver.ask(machine_table("4xh100-2node")), b17=0, b3d=0, b97=1, bbd=1
    )
    assert [gpu.numa_node for gpu in four.gpus] == [0, 0, 1, 1]
    assert [link.path for link in four.links] == ["NODE", "SYS", "SYS", "SYS", "SYS", "NODE"]


SMI = """\
GPU-1a, 00000000:01:00.0, NVIDIA GeForce RTX 3090, 24576, 321, 100.00, 366.00, 350.00, 300.00, \
27.53, Enabled, 580.95.05
GPU-2b, 00000000:02:00.0, NVIDIA GB10, [N/A], [Not Supported], [N/A], [N/A], [N/A], [N/A], \
4.1, [Unknown Error], 580.95.05
"""


def test_the_table_of_nvidia_smi() -> None:
    answers = parse_table(SMI)
    assert answers is not None
    assert answers.version == "580.95.05"
    full, poor = answers.gpus
    assert (full.uuid, full.bus, full.name) == (
        "GPU-1a",
        "00000000:01:00.0",
        "NVIDIA GeForce RTX 3090",
    )
    assert (full.memory_bytes, full.used_bytes) == (24576 << 20, 321 << 20)
    assert (full.power_min, full.power_max, full.power_limit) == (100000, 366000, 300000)
    assert (full.power_draw, full.persistence) == (27530, True)
    assert poor.memory_bytes is poor.power_limit is poor.persistence is None
    assert poor.power_draw == 4100


@pytest.mark.parametrize("text", ["", "No devices were found\n", "a,b\n", "\0"])
def test_no_table(text: str) -> None:
    assert parse_table(text) is None

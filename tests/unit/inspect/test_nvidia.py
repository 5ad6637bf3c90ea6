"""Facts of NVIDIA GPUs from answers, bus and nodes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.host.document import dumps, loads
from provision.host.facts import (
    Driver as DriverFacts,
)
from provision.host.facts import (
    Gpu,
    GpuNow,
    GpuProcess,
    MigDevice,
    NumaNode,
    PciDevice,
    PcieLink,
)
from provision.host.inspect.bus.bus import Bus
from provision.host.inspect.gpus import GpusFound
from provision.host.inspect.nvidia.answers import (
    NvmlAnswers,
    NvmlGpu,
    NvmlMig,
    NvmlPair,
    NvmlProcess,
)
from provision.host.inspect.nvidia.nvidia import read_answers
from provision.host.inspect.nvidia.words import (
    compute_mode,
    fabric_word,
    mig_profile,
    recovery_action,
    throttle_reasons,
)
from provision.host.quantity import CpuSet, PciAddress
from tests.standin.build import Slice, line, machine_table, mig_uuid_of, table_text, uuid_of

from .driver import Driver
from .test_nvml import BUS, full_table

NODES = (
    NumaNode(0, CpuSet.parse("0-3"), 1000, {0: 10, 1: 20, 2: 12, 8: 40}),
    NumaNode(1, CpuSet.parse("4-7"), 1000, {0: 20, 1: 10, 2: 22, 8: 18}),
    NumaNode(2, CpuSet(), 1000, {0: 12, 1: 22, 2: 10, 8: 50}),
    NumaNode(8, CpuSet(), 1000, {0: 40, 1: 18, 2: 50, 8: 10}),
)


def _device(
    bus: str,
    *,
    numa_node: int | None = None,
    local_cpus: CpuSet | None = None,
    link: PcieLink | None = None,
    integrated: bool | None = None,
) -> PciDevice:
    return PciDevice(
        PciAddress.parse(bus),
        "10de",
        "2330",
        "0302",
        "nvidia",
        numa_node=numa_node,
        local_cpus=local_cpus,
        link=link,
        integrated=integrated,
    )


def _gpu(index: int, bus: str | None, uuid: str | None) -> NvmlGpu:
    return NvmlGpu(index, uuid, bus)


def _one(told: NvmlGpu, *devices: PciDevice, nodes: tuple[NumaNode, ...] = NODES) -> Gpu:
    (gpu,) = read_answers(NvmlAnswers(gpus=(told,)), Bus(devices), nodes).gpus
    return gpu


def test_every_fact_of_one_gpu(driver: Driver) -> None:
    process = line("process", gpu=0, pid=7, memory_mib=30)
    found = read_answers(driver.ask(full_table(process)), Bus(), NODES)
    (gpu,) = found.gpus
    assert replace(gpu, nvlinks=()) == Gpu(
        index=0,
        uuid=uuid_of(BUS),
        address=PciAddress.parse(BUS),
        name="NVIDIA H100 80GB HBM3",
        serial="1652923033635",
        memory_mib=81559,
        memory_reserved_mib=551,
        numa_node=0,
        local_cpus=CpuSet.parse("0-3"),
        memory_node=2,
        compute_capability="9.0",
        power_min_watts=200.0,
        power_max_watts=700.0,
        power_default_watts=700.0,
        link=PcieLink(32.0, 8, 15),
        mig=False,
        mig_pending=True,
        ecc=True,
        ecc_pending=False,
        compute_mode="exclusive-process",
        addressing_mode="ATS",
        vbios="96.00.74.00.0D",
        minor=3,
        nvlink_fabric="failed",
    )
    assert [one.active for one in gpu.nvlinks] == [False] * 18
    assert found.now == (
        GpuNow(
            uuid=uuid_of(BUS),
            memory_used_mib=1021,
            persistence=True,
            power_limit_watts=450.0,
            power_enforced_watts=449.5,
            power_draw_watts=71.234,
            temperature_c=41,
            utilization_percent=17,
            clock_sm_mhz=1755,
            clock_sm_max_mhz=1980,
            clock_memory_mhz=2618,
            throttle=("sw-power-cap", "hw-thermal"),
            ecc_uncorrected=2,
            ecc_uncorrected_total=6,
            remapped_rows=9,
            remapping_pending=True,
            remapping_failed=True,
            recovery_action="drain-and-reset",
        ),
    )
    assert found.processes == (GpuProcess(uuid_of(BUS), 7, 30),)
    assert found.driver == DriverFacts("nvidia", "580.95.05", cuda="13.0", source="nvml")
    assert found.complaints == ()
    assert loads(GpusFound, dumps(found)) == found


def test_what_is_not_told_is_none_everywhere() -> None:
    found = read_answers(NvmlAnswers(gpus=(_gpu(0, "0:1:0.0", "GPU-a"),)), Bus(), NODES)
    assert found.gpus == (Gpu(0, "GPU-a", PciAddress.parse("0000:01:00.0")),)
    assert found.now == (GpuNow("GPU-a"),)
    assert (found.processes, found.links, found.complaints) == ((), (), ())


def test_index_is_pci_order_whatever_nvml_counts() -> None:
    answers = NvmlAnswers(
        gpus=(
            replace(_gpu(0, "00000000:C1:00.0", "GPU-c"), used_bytes=5 << 20),
            _gpu(1, "00010000:01:00.0", "GPU-far"),
            _gpu(2, "00000000:1B:00.0", "GPU-a"),
        ),
        pairs=(NvmlPair(0, 1, 50), NvmlPair(0, 2, 40, p2p=0), NvmlPair(1, 2, 20)),
    )
    bus = Bus((_device("0000:1b:00.0", numa_node=0), _device("0000:c1:00.0", numa_node=1)))
    found = read_answers(answers, bus, NODES)
    assert [(gpu.index, gpu.uuid, str(gpu.address), gpu.numa_node) for gpu in found.gpus] == [
        (0, "GPU-a", "0000:1b:00.0", 0),
        (1, "GPU-c", "0000:c1:00.0", 1),
        (2, "GPU-far", "10000:01:00.0", None),
    ]
    assert [(link.a, link.b, link.path, link.p2p) for link in found.links] == [
        ("GPU-a", "GPU-c", "NODE", True),
        ("GPU-a", "GPU-far", "PXB", None),
        ("GPU-c", "GPU-far", "SYS", None),
    ]
    assert [one.memory_used_mib for one in found.now] == [None, 5, None]


def test_gpus_that_cannot_be_named_are_complained_about_once() -> None:
    gpus = (
        _gpu(0, None, "GPU-x"),
        _gpu(1, "00000000:01:00.0", None),
        _gpu(2, "rubbish", "GPU-y"),
        _gpu(4, "00000000:04:00.0", None),
        _gpu(40, "00000000:05:00.0", None),
    )
    lost = ("GPU 3 of NVML: GPU is lost", "GPU 4 (0000:04:00.0): GPU is lost")
    found = read_answers(NvmlAnswers(gpus=gpus, lost=lost), Bus(), NODES)
    assert found.gpus == ()
    assert found.complaints == (
        *lost,
        "GPU 0 of NVML tells no PCI address",
        "GPU 1 (0000:01:00.0) tells no UUID",
        "GPU 2 of NVML tells no PCI address",
        "GPU 40 (0000:05:00.0) tells no UUID",
    )


def test_a_driver_that_could_not_be_asked() -> None:
    found = read_answers(NvmlAnswers(problem="Driver Not Loaded"), Bus(), NODES)
    assert found == GpusFound(DriverFacts("nvidia", problem="Driver Not Loaded"))


def test_who_told_it() -> None:
    answers = NvmlAnswers("550.1", gpus=(_gpu(0, "0:1:0.0", "GPU-a"),), problem="no NVML")
    found = read_answers(answers, Bus(), NODES, "nvidia-smi")
    assert found.driver == DriverFacts("nvidia", "550.1", problem="no NVML", source="nvidia-smi")


@pytest.mark.parametrize(
    ("bus_node", "memory_nodes", "cpus", "node"),
    [
        (1, "0", "0-3", 1),  # the bus comes first
        (2, None, None, 0),  # a memory node on the bus: the CPU node nearest to it
        (8, None, None, 1),
        (None, "1", None, 1),
        (None, "0,2,8", "4-7", 0),  # as on GB200, with its memory nodes
        (None, "0-1", "4-5", 1),  # memory of both: the CPUs tell
        (None, "0-1", None, None),
        (None, "2", None, None),
        (None, None, "4-7", 1),
        (None, None, "4-7,200-300", 1),  # with CPUs that are offline
        (None, None, "0-7", None),  # everywhere is nowhere
        (None, None, "3-4", None),
        (None, None, None, None),
        (7, None, "0-1", 0),  # a node that the machine does not have
    ],
)
def test_the_node_of_the_cpus_next_to_it(
    bus_node: int | None, memory_nodes: str | None, cpus: str | None, node: int | None
) -> None:
    told = replace(
        _gpu(0, "0:1:0.0", "GPU-a"),
        node_affinity=CpuSet.parse(memory_nodes) if memory_nodes else None,
        cpu_affinity=CpuSet.parse(cpus) if cpus else None,
    )
    assert _one(told, _device("0000:01:00.0", numa_node=bus_node)).numa_node == node


def test_a_machine_of_one_node() -> None:
    told = replace(_gpu(0, "0:1:0.0", "GPU-a"), cpu_affinity=CpuSet.parse("0-7"))
    gpu = _one(told, nodes=(NumaNode(0, CpuSet.parse("0-7")),))
    assert (gpu.numa_node, gpu.local_cpus) == (0, CpuSet.parse("0-7"))
    assert _one(told, nodes=()).numa_node is None


def test_cpus_next_to_it() -> None:
    told = replace(_gpu(0, "0:1:0.0", "GPU-a"), cpu_affinity=CpuSet.parse("0-3,99"))
    assert _one(told).local_cpus == CpuSet.parse("0-3")
    there = _device("0000:01:00.0", local_cpus=CpuSet.parse("4-7"))
    assert _one(told, there).local_cpus == CpuSet.parse("4-7")
    assert _one(told, _device("0000:01:00.0")).local_cpus == CpuSet.parse("0-3")
    everywhere = replace(told, cpu_affinity=CpuSet.parse("0-7"))
    assert _one(everywhere).local_cpus is None


def test_memory_of_its_own_as_a_node(driver: Driver) -> None:
    """NVIDIA's number is that of the GPU's memory; a node with CPUs is never that."""
    told = _gpu(0, "0:1:0.0", "GPU-a")
    nodes = [_one(replace(told, memory_node=node)).memory_node for node in (0, 1, 2, 8, 40, None)]
    assert nodes == [None, None, 2, 8, 40, None]
    grace = (
        NumaNode(0, CpuSet.parse("0-71"), 500000, {0: 10, 1: 80}),
        NumaNode(1, CpuSet(), 97871, {0: 80, 1: 10}),
    )
    (gpu,) = read_answers(driver.ask(machine_table("1xgh200")), Bus(), grace).gpus
    assert (gpu.numa_node, gpu.memory_node, gpu.addressing_mode) == (0, 1, "ATS")
    assert (gpu.memory_mib, gpu.integrated) == (97871, None)


def test_dgx_spark_shares_the_hosts_memory(driver: Driver) -> None:
    found = read_answers(driver.ask(machine_table("1xgb10")), Bus(), NODES)
    (gpu,) = found.gpus
    assert gpu.integrated is True
    assert gpu.memory_mib is gpu.power_max_watts is gpu.memory_reserved_mib is None
    assert found.now[0].power_limit_watts is found.now[0].power_enforced_watts is None
    plain = _one(_gpu(0, "0:1:0.0", "GPU-a"), _device("0000:01:00.0", integrated=False))
    assert plain.integrated is False


@pytest.mark.parametrize(
    ("bus", "link"),
    [
        (None, PcieLink(32.0, 8, 16)),
        (PcieLink(), PcieLink(32.0, 8, 16)),
        (PcieLink(16.0, 4, 8), PcieLink(16.0, 4, 8)),
        (PcieLink(None, 4, None), PcieLink(32.0, 4, 16)),
    ],
)
def test_its_link_by_the_bus_and_else_by_nvml(bus: PcieLink | None, link: PcieLink) -> None:
    told = replace(
        _gpu(0, "0:1:0.0", "GPU-a"),
        pcie_generation=1,
        pcie_generation_max=4,
        pcie_generation_card=5,
        pcie_width=8,
        pcie_width_max=16,
    )
    assert _one(told, _device("0000:01:00.0", link=bus)).link == link
    assert _one(_gpu(0, "0:1:0.0", "GPU-a")).link is None


def test_slices_in_order_of_their_instances() -> None:
    name = "NVIDIA A100 MIG"
    told = replace(
        _gpu(0, "0:1:0.0", "GPU-a"),
        mig=True,
        mig_devices=(
            NvmlMig("MIG-z", f"{name} 1g.5gb", 4864 << 20, 9, 0),
            NvmlMig("MIG-old"),
            NvmlMig("MIG-b", f"{name} 1c.3g.20gb", None, 2, 1),
            NvmlMig("MIG-c", f"{name} 1c.3g.20gb", None, 2, 0),
        ),
    )
    assert _one(told).mig_devices == (
        MigDevice("MIG-c", "1c.3g.20gb", None, 2, 0),
        MigDevice("MIG-b", "1c.3g.20gb", None, 2, 1),
        MigDevice("MIG-z", "1g.5gb", 4864, 9, 0),
        MigDevice("MIG-old"),
    )


def test_processes_belong_to_their_slice() -> None:
    told = replace(
        _gpu(0, "0:1:0.0", "GPU-a"),
        processes=(
            NvmlProcess(5, 7 << 20, "MIG-b"),  # the slice itself did not tell
            NvmlProcess(7, 1 << 20),  # the same as on the slice, told without instances
            NvmlProcess(9, None, "MIG-b"),
            NvmlProcess(11, 4 << 20),
        ),
        mig_devices=(
            NvmlMig("MIG-a", processes=(NvmlProcess(7, 3 << 20, "MIG-a"),)),
            NvmlMig("MIG-b", processes=(NvmlProcess(9, 2 << 20, "MIG-b"),)),
        ),
    )
    found = read_answers(NvmlAnswers(gpus=(told,)), Bus(), NODES)
    assert found.processes == (
        GpuProcess("GPU-a", 11, 4),
        GpuProcess("MIG-a", 7, 3),
        GpuProcess("MIG-b", 5, 7),
        GpuProcess("MIG-b", 9, 2),
    )


def test_slices_and_processes_of_the_stand_in(driver: Driver) -> None:
    slices = (Slice(0, "2g.20gb", 19968, gi=5), Slice(0, "1g.10gb", 9856, gi=3))
    process = line("process", gpu=0, pid=70, memory_mib=100, gi=5, ci=0)
    table = table_text((BUS,), "h100-mig", slices=slices, more=[process])
    found = read_answers(driver.ask(table), Bus(), NODES)
    assert [one.profile for one in found.gpus[0].mig_devices] == ["1g.10gb", "2g.20gb"]
    assert found.processes == (GpuProcess(mig_uuid_of(BUS, 5), 70, 100),)
    assert found.now[0].utilization_percent is None


def test_words_of_numbers() -> None:
    assert [compute_mode(one) for one in (None, 0, 1, 2, 3, 4, -1)] == [
        None,
        "default",
        "exclusive-thread",
        "prohibited",
        "exclusive-process",
        None,
        None,
    ]
    assert throttle_reasons(None) is None
    assert throttle_reasons(0) == ()
    every = throttle_reasons(0x1FF) or ()
    assert " ".join(every) == (
        "gpu-idle app-clocks sw-power-cap hw-slowdown sync-boost sw-thermal hw-thermal"
        " hw-power-brake display"
    )
    assert throttle_reasons(1 << 40) == ("bit-40",)
    actions = [recovery_action(one) for one in (None, 0, 1, 2, 3, 9)]
    assert actions == [None, "none", "reset", "reboot", "drain-p2p", "action-9"]
    states = [(None, None), (0, 0), (1, 0), (2, 27), (3, None), (3, 0), (3, 999), (7, 0), (-1, 0)]
    assert [fabric_word(*one) for one in states] == [
        None,
        "not-supported",
        "not-started",
        "in-progress",
        "completed",
        "completed",
        "failed",
        None,
        None,
    ]
    assert [mig_profile(one) for one in (None, "NVIDIA A100", "X MIG 1g.10gb+me")] == [
        None,
        None,
        "1g.10gb+me",
    ]


def test_lost_gpus_become_complaints_with_their_address(driver: Driver) -> None:
    buses = ("0000:01:00.0", "0000:c1:00.0")
    table = table_text(buses, "4090", more=[line("lost", gpu=1, after=6)])
    found = read_answers(driver.ask(table), Bus(), NODES)
    assert found.complaints == ("GPU 1 (0000:c1:00.0): GPU is lost",)
    assert [gpu.uuid for gpu in found.gpus] == [uuid_of(bus) for bus in buses]
    assert found.gpus[1].power_max_watts is None


def test_facts_of_this_machine_with_these_gpus(driver: Driver) -> None:
    facts = driver.inspect(machine_table("8xh100-nvswitch"))
    assert {link.nvlinks for link in facts.stable.gpu_links} == {18}
    assert [gpu.index for gpu in facts.stable.gpus] == list(range(8))
    assert [one.uuid for one in facts.volatile.gpus] == [gpu.uuid for gpu in facts.stable.gpus]

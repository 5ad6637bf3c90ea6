"""The real pynvml over the compiled stand-in: every field, old drivers, MIG, NVLink, processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from provision.host.inspect.nvidia.answers import NvmlGpu, NvmlLink, NvmlMig, NvmlProcess
from provision.host.inspect.nvidia.nvml.links import p2p_read_index
from provision.host.inspect.nvidia.nvml.mig import third_form_is_longer
from provision.host.inspect.nvidia.nvml.session import address_text
from provision.host.quantity import CpuSet
from tests.standin.build import (
    LACKING_IN_440,
    PIX,
    Slice,
    build,
    line,
    machine_table,
    mig_uuid_of,
    table_text,
    uuid_of,
)

from .driver import Driver

ONE = ("0000:01:00.0",)
TWO = ("0000:01:00.0", "0000:02:00.0")
BUS = "0000:17:00.0"

# A GPU that tells everything, each value unlike any other.
TOLD: Mapping[str, object] = {
    "serial": "1652923033635",
    "vbios": "96.00.74.00.0D",
    "minor": 3,
    "used_mib": 1021,
    "reserved_mib": 551,
    "power_limit": 450000,
    "power_enforced": 449500,
    "power_draw": 71234,
    "persistence": 1,
    "compute_mode": 3,
    "temperature": 41,
    "utilization": 17,
    "clock_sm": 1755,
    "clock_memory": 2618,
    "throttle": "0x44",
    "pcie_generation": 1,
    "pcie_generation_max": 4,
    "pcie_generation_card": 5,
    "pcie_width": 8,
    "pcie_width_max": 15,
    "ecc": 1,
    "ecc_pending": 0,
    "ecc_errors": 2,
    "ecc_errors_total": 6,
    "remapped": 9,
    "remapped_correctable": 7,
    "remap_pending": 1,
    "remap_failed": 1,
    "recovery_action": 4,
    "addressing": 2,
    "fabric_state": 3,
    "fabric_status": 12,
    "mig_pending": 1,
}


def full_table(*more: str) -> str:
    return table_text(
        (BUS,),
        values={0: TOLD},
        cpus=["0-3,1500"],
        node_lists=["0,3-9"],
        memory_nodes=[2],
        more=more,
    )


def test_every_field_of_one_gpu(driver: Driver) -> None:
    answers = driver.ask(full_table())
    assert (answers.version, answers.cuda, answers.problem) == ("580.95.05", "13.0", None)
    assert answers.lost == ()
    (gpu,) = answers.gpus
    assert dataclasses.replace(gpu, links=None) == NvmlGpu(
        index=0,
        uuid=uuid_of(BUS),
        bus="00000000:17:00.0",
        name="NVIDIA H100 80GB HBM3",
        serial="1652923033635",
        minor=3,
        vbios="96.00.74.00.0D",
        capability="9.0",
        memory_bytes=81559 << 20,
        used_bytes=1021 << 20,
        reserved_bytes=551 << 20,
        power_min=200000,
        power_max=700000,
        power_default=700000,
        power_limit=450000,
        power_enforced=449500,
        power_draw=71234,
        persistence=True,
        compute_mode=3,
        temperature=41,
        utilization=17,
        clock_sm=1755,
        clock_sm_max=1980,
        clock_memory=2618,
        throttle=0x44,
        pcie_generation=1,
        pcie_generation_max=4,
        pcie_generation_card=5,
        pcie_width=8,
        pcie_width_max=15,
        ecc=True,
        ecc_pending=False,
        ecc_uncorrected=2,
        ecc_uncorrected_total=6,
        remapped_correctable=7,
        remapped_uncorrectable=9,
        remapping_pending=True,
        remapping_failed=True,
        recovery_action=4,
        addressing_mode="ATS",
        fabric_state=3,
        fabric_status=12,
        cpu_affinity=CpuSet.of((0, 1, 2, 3, 1500)),
        node_affinity=CpuSet.parse("0,3-9"),
        memory_node=2,
        mig=False,
        mig_pending=True,
    )
    assert gpu.links == tuple(NvmlLink(link, active=False) for link in range(18))


def test_a_gpu_that_tells_nothing_but_its_name(driver: Driver) -> None:
    table = "gpu\tuuid=GPU-a\tbus=0:1:0.0\n"
    answers = driver.ask(table)
    assert answers.gpus == (NvmlGpu(0, "GPU-a", "00000000:01:00.0", links=()),)
    assert (answers.version, answers.cuda, answers.problem) == (None, None, None)


def test_a_laptop_without_power_limits_and_mig(driver: Driver) -> None:
    (gpu,) = driver.ask(machine_table("1x4090-laptop")).gpus
    assert gpu.power_min is gpu.power_max is gpu.power_default is gpu.power_limit is None
    assert gpu.mig is gpu.mig_pending is gpu.ecc is None
    assert gpu.links == ()
    assert gpu.memory_bytes == 16376 << 20


def test_unified_memory_is_no_memory_rather_than_zero(driver: Driver) -> None:
    (gpu,) = driver.ask(machine_table("1xgb10")).gpus
    assert gpu.memory_bytes is gpu.used_bytes is gpu.reserved_bytes is gpu.power_limit is None
    assert gpu.addressing_mode == "ATS"
    zeros = table_text(ONE, "gb10", values={0: {"memory_mib": 0, "reserved_mib": 0}})
    assert driver.ask(zeros).gpus[0].memory_bytes is None


def test_what_is_not_told_is_not_zero(driver: Driver) -> None:
    values = {"pcie_width": 0, "pcie_generation": 0, "serial": "0", "clock_sm": 0xFFFFFFFF}
    (gpu,) = driver.ask(table_text(ONE, values={0: values})).gpus
    assert gpu.pcie_width is gpu.pcie_generation is gpu.clock_sm is None
    assert gpu.serial is None


def test_before_ampere_pages_are_retired(driver: Driver) -> None:
    (gpu,) = driver.ask(table_text(ONE, "t4", values={0: {"retired_pending": 1}})).gpus
    assert gpu.remapping_pending is True
    assert gpu.remapping_failed is gpu.remapped_uncorrectable is None
    (good,) = driver.ask(table_text(ONE, "t4")).gpus
    assert good.remapping_pending is False


def test_driver_440(tmp_path: Path) -> None:
    """Without the second form of memory, MIG, fabric, own nodes, new names: the rest is told."""
    driver = Driver(build(tmp_path / "old", LACKING_IN_440), tmp_path)
    table = table_text(
        TWO, "3090", version="440.33.01", cuda=10020, nvlinks={(0, 1): 4}, cpus=["0-7", "8-15"]
    )
    answers = driver.ask(table)
    assert (answers.version, answers.cuda, answers.problem) == ("440.33.01", "10.2", None)
    gpu = answers.gpus[0]
    assert gpu.memory_bytes == 24576 << 20
    assert gpu.used_bytes == (4 + 512) << 20  # the first form counts the reserve
    assert gpu.reserved_bytes is gpu.mig is gpu.fabric_state is gpu.memory_node is None
    assert (gpu.addressing_mode, gpu.pcie_generation_card, gpu.node_affinity) == (None,) * 3
    assert (gpu.throttle, gpu.temperature, gpu.power_limit) == (1, 34, 350000)
    assert gpu.cpu_affinity == CpuSet.parse("0-7")
    assert gpu.links == tuple(NvmlLink(at, True, 4, None, "00000000:02:00.0") for at in range(4))
    assert gpu.processes == ()
    assert (answers.pairs[0].p2p, answers.pairs[0].nvlink) == (0, 0)


def test_temperature_by_its_new_call(tmp_path: Path) -> None:
    driver = Driver(build(tmp_path / "new", ("nvmlDeviceGetTemperature",)), tmp_path)
    assert driver.ask(table_text(ONE)).gpus[0].temperature == 34


def test_direct_nvlinks(driver: Driver) -> None:
    answers = driver.ask(machine_table("2x3090-nvlink"))
    for gpu, other in ((0, "00000000:02:00.0"), (1, "00000000:01:00.0")):
        assert answers.gpus[gpu].links == tuple(NvmlLink(at, True, 4, 0, other) for at in range(4))
    (pair,) = answers.pairs
    assert (pair.ancestor, pair.p2p, pair.nvlink) == (30, 0, 0)


def test_links_to_switches_that_are_partly_down(driver: Driver) -> None:
    answers = driver.ask(machine_table("8xh100-nvswitch"))
    assert [len(gpu.links or ()) for gpu in answers.gpus] == [18] * 8
    first = answers.gpus[0].links or ()
    assert {link.kind for link in first} == {2}
    assert {link.remote for link in first} == {f"00000000:0{at}:00.0" for at in (5, 6, 7, 8)}
    assert len(answers.pairs) == 28
    down = table_text(ONE, more=[line("switch", gpu=0, links=18, down=2)])
    told = driver.ask(down).gpus[0].links or ()
    assert [link.active for link in told] == [False] * 2 + [True] * 16


def test_a_switch_that_is_not_on_this_host(driver: Driver) -> None:
    table = table_text(ONE, "gb200", switch_links=18, switches=["FFFFFFFF:FF:FF.0"])
    links = driver.ask(table).gpus[0].links or ()
    assert {(link.kind, link.remote, link.version) for link in links} == {(2, None, 7)}


def test_a_link_that_is_fused_off_does_not_hide_the_next(driver: Driver) -> None:
    more = [
        line("nvlink", gpu=0, link=0, code=3),
        line("nvlink", gpu=0, link=1, active=1, kind=1, bus="0000:06:00.0"),
        line("nvlink", gpu=0, link=2, code=999),
        line("nvlink", gpu=0, link=3, active=1, kind=255, bus="0000:02:00.0"),
    ]
    (gpu,) = driver.ask(table_text(ONE, "3090", more=more)).gpus
    assert gpu.links == (
        NvmlLink(1, True, 4, 1, "00000000:06:00.0"),
        NvmlLink(2),
        NvmlLink(3, True, 4, None, "00000000:02:00.0"),
    )


@pytest.mark.parametrize("code", [4, 13, 15, 999])
def test_links_that_are_not_told(driver: Driver, code: int) -> None:
    table = table_text(ONE, errors=[("nvmlDeviceGetNvLinkState", None, code)])
    assert driver.ask(table).gpus[0].links is None


def test_pairs_by_pairs(driver: Driver) -> None:
    buses = (*TWO, "0000:41:00.0")
    table = table_text(
        buses,
        "4090",
        nodes=(0, 0, 1),
        ancestors={(0, 1): PIX},
        p2p=2,
        p2p_pairs={(0, 2): 6, (1, 2): 4},
        values={2: {"uuid": None}},
    )
    answers = driver.ask(table)
    assert [(one.a, one.b, one.ancestor, one.p2p) for one in answers.pairs] == [
        (0, 1, 10, 2),
        (0, 2, 50, 6),
        (1, 2, 50, 4),
    ]
    assert {one.nvlink for one in answers.pairs} == {5}
    assert p2p_read_index() == 0


def test_affinity_of_very_many_cpus(driver: Driver) -> None:
    table = table_text(ONE, cpus=["0-1023,9000"], node_lists=["1023"])
    (gpu,) = driver.ask(table).gpus
    assert gpu.cpu_affinity == CpuSet.of((*range(1024), 9000))
    assert gpu.node_affinity == CpuSet.of((1023,))
    (container,) = driver.ask(table_text(ONE, cpus=[""], node_lists=[""])).gpus
    assert container.cpu_affinity is container.node_affinity is None


def test_mig_devices_with_holes_and_their_processes(driver: Driver) -> None:
    slices = (
        Slice(0, "1g.10gb", 9984, gi=9, slot=5),
        Slice(0, "1c.3g.40gb", 40448, gi=2, ci=1, slot=2),
    )
    more = [
        line("process", gpu=0, pid=70, memory_mib=100, gi=2, ci=1),
        line("process", gpu=0, pid=71, gi=9, ci=0, kind="graphics"),
        line("process", gpu=0, pid=72, memory_mib=5),
    ]
    (gpu,) = driver.ask(table_text(ONE, "h100-mig", slices=slices, more=more)).gpus
    big, small = mig_uuid_of(ONE[0], 2, 1), mig_uuid_of(ONE[0], 9)
    name = "NVIDIA H100 80GB HBM3 MIG"
    assert (gpu.mig, gpu.mig_pending, gpu.utilization) == (True, True, None)
    assert gpu.mig_devices == (
        NvmlMig(big, f"{name} 1c.3g.40gb", 40448 << 20, 2, 1, (NvmlProcess(70, 100 << 20, big),)),
        NvmlMig(small, f"{name} 1g.10gb", 9984 << 20, 9, 0, (NvmlProcess(71, None, small),)),
    )
    assert gpu.processes == (
        NvmlProcess(70, 100 << 20, big),
        NvmlProcess(71, None, small),
        NvmlProcess(72, 5 << 20),
    )


def test_processes_once_each(driver: Driver) -> None:
    more = [
        line("process", gpu=0, pid=70, memory_mib=100),
        line("process", gpu=0, pid=70, memory_mib=300, kind="graphics"),
        line("process", gpu=0, pid=9),
        line("process", gpu=0, pid=0, memory_mib=1),
        line("process", gpu=0, pid=4294967295, memory_mib=1),
        line("process", gpu=1, pid=5, memory_mib=7),
    ]
    answers = driver.ask(table_text(TWO, more=more))
    assert answers.gpus[0].processes == (NvmlProcess(9), NvmlProcess(70, 300 << 20))
    assert answers.gpus[1].processes == (NvmlProcess(5, 7 << 20),)


@pytest.mark.parametrize("version", ["535.54.03", "535.129.03", "580.95.05"])
def test_process_lists_of_every_form(driver: Driver, version: str) -> None:
    """535.43 to 535.97 fill longer structures than pynvml reads; 535.98 lacks the third form."""
    pids = (101, 202, 303)
    more = [line("process", gpu=0, pid=pid, memory_mib=pid) for pid in pids]
    table = table_text(ONE, version=version, more=more)
    if version.startswith("535.54"):
        table = table.replace("cuda=", "process_bytes=32\tcuda=")
    elif version.startswith("535"):
        table += line("error", call="nvmlDeviceGetComputeRunningProcesses_v3", code=13)
    (gpu,) = driver.ask(table).gpus
    assert gpu.processes == tuple(NvmlProcess(pid, pid << 20) for pid in pids)


def test_which_drivers_have_the_longer_form() -> None:
    longer = [third_form_is_longer(text) for text in ("535.43.02", "535.86.05", "535.97")]
    others = (None, "", "535", "535.98", "535.183.01", "530.41.03", "545.23.06", "5350.50")
    assert longer == [True] * 3
    assert not any(third_form_is_longer(text) for text in others)


def test_addresses_as_text() -> None:
    assert address_text(b"00000000:17:00.0") == "00000000:17:00.0"
    assert address_text("00000000:17:00.0\0") == "00000000:17:00.0"
    assert address_text(b"\0\0") is None
    assert address_text("ffffffff:ff:1f.7") is None

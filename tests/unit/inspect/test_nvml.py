"""The real pynvml over the compiled stand-in: what it tells, and every way in which it declines."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.inspect.nvml import NvmlLink, NvmlProcess, address_text
from tests.standin.build import build, machine_table, table_text, uuid_of

from .driver import Driver

ONE = ("0000:01:00.0",)
TWO = ("0000:01:00.0", "0000:02:00.0")


def test_all_answers_of_one_gpu(driver: Driver) -> None:
    answers = driver.ask(table_text(("0000:17:00.0",)))
    assert (answers.version, answers.cuda, answers.problem) == ("580.95.05", "13.0", None)
    (gpu,) = answers.gpus
    assert gpu.uuid == uuid_of("0000:17:00.0")
    assert gpu.bus == "00000000:17:00.0"
    assert gpu.name == "NVIDIA H100 80GB HBM3"
    assert (gpu.memory_bytes, gpu.used_bytes) == (81559 << 20, 4 << 20)
    assert (gpu.power_min, gpu.power_max, gpu.power_default) == (200000, 700000, 700000)
    assert (gpu.power_limit, gpu.power_draw) == (700000, 31250)
    assert (gpu.capability, gpu.persistence, gpu.mig) == ("9.0", False, False)


def test_a_laptop_without_power_limits_and_mig(driver: Driver) -> None:
    (gpu,) = driver.ask(machine_table("1x4090-laptop")).gpus
    assert gpu.power_min is gpu.power_max is gpu.power_default is gpu.power_limit is None
    assert gpu.mig is None
    assert gpu.links == ()
    assert gpu.memory_bytes == 16376 << 20


@pytest.mark.parametrize("code", [3, 4, 13, 999])  # NotSupported, NoPermission, FunctionNotFound
def test_each_refused_call_costs_its_own_field_alone(driver: Driver, code: int) -> None:
    calls = {
        "nvmlDeviceGetName": "name",
        "nvmlDeviceGetPowerUsage": "power_draw",
        "nvmlDeviceGetPersistenceMode": "persistence",
        "nvmlDeviceGetCudaComputeCapability": "capability",
        "nvmlDeviceGetPowerManagementLimitConstraints": "power_min",
        "nvmlDeviceGetPowerManagementDefaultLimit": "power_default",
        "nvmlDeviceGetMigMode": "mig",
    }
    more = [f"error\tcall={call}\tgpu=*\tcode={code}" for call in calls]
    more += ["error\tcall=nvmlDeviceGetComputeRunningProcesses_v3\tcode=4"]
    more += [f"error\tcall=nvmlSystemGetCudaDriverVersion_v2\tcode={code}"]
    answers = driver.ask(table_text(TWO, nvlinks={(0, 1): 4}, more=more))
    assert answers.cuda is None
    for gpu in answers.gpus:
        assert [getattr(gpu, name) for name in calls.values()] == [None] * len(calls)
        assert gpu.power_limit == 700000
        assert gpu.memory_bytes == 81559 << 20
        assert len(gpu.links) == 4
        assert gpu.processes == ()


def test_functions_that_an_old_driver_lacks(tmp_path: Path) -> None:
    without = (
        "nvmlDeviceGetMemoryInfo_v2",
        "nvmlDeviceGetMigMode",
        "nvmlDeviceGetP2PStatus",
        "nvmlDeviceGetNvLinkRemoteDeviceType",
        "nvmlDeviceGetComputeRunningProcesses_v3",
        "nvmlSystemGetCudaDriverVersion_v2",
    )
    driver = Driver(build(tmp_path / "old", without), tmp_path)
    answers = driver.ask(table_text(TWO, "3090", nvlinks={(0, 1): 4}))
    assert answers.problem is None
    assert answers.gpus[0].memory_bytes == 24576 << 20
    assert answers.gpus[0].used_bytes == (4 + 512) << 20  # the first form counts the reserve
    assert answers.gpus[0].links == (NvmlLink(None, "00000000:02:00.0"),) * 4
    assert answers.gpus[0].processes == ()
    assert (answers.pairs[0].p2p, answers.pairs[0].nvlink) == (None, None)


def test_no_table_is_no_driver(driver: Driver) -> None:
    answers = driver.ask(None)
    assert answers.problem == "Driver Not Loaded"
    assert answers.gpus == ()


def test_a_library_that_does_not_fit_the_module(driver: Driver) -> None:
    table = table_text(ONE, more=["error\tcall=nvmlInitWithFlags\tcode=18"])
    assert "mismatch" in (driver.ask(table).problem or "")


def test_no_library_at_all(tmp_path: Path) -> None:
    answers = Driver(tmp_path / "nowhere" / "none.so", tmp_path).ask(None)
    assert answers.problem == "NVML Shared Library Not Found"


def test_a_count_that_is_refused_is_a_problem(driver: Driver) -> None:
    answers = driver.ask(table_text(ONE, more=["error\tcall=nvmlDeviceGetCount_v2\tcode=999"]))
    assert answers.problem == "Unknown Error"


def test_a_lost_gpu_leaves_the_others(driver: Driver) -> None:
    lost = "error\tcall=nvmlDeviceGetHandleByIndex_v2\tgpu=0\tcode=15"
    answers = driver.ask(table_text(TWO, more=[lost]))
    assert [gpu.index for gpu in answers.gpus] == [1]
    assert answers.lost == ("GPU 0 of NVML: GPU is lost",)
    assert answers.pairs == ()


def test_direct_nvlinks(driver: Driver) -> None:
    answers = driver.ask(machine_table("2x3090-nvlink"))
    assert answers.gpus[0].links == (NvmlLink(0, "00000000:02:00.0"),) * 4
    assert answers.gpus[1].links == (NvmlLink(0, "00000000:01:00.0"),) * 4
    (pair,) = answers.pairs
    assert (pair.ancestor, pair.p2p, pair.nvlink) == (30, True, True)


def test_links_to_a_switch(driver: Driver) -> None:
    answers = driver.ask(machine_table("8xh100-nvswitch"))
    assert [len(gpu.links) for gpu in answers.gpus] == [18] * 8
    assert {link.kind for gpu in answers.gpus for link in gpu.links} == {2}
    assert len(answers.pairs) == 28


def test_p2p_by_reads_works_in_spite_of_the_constant(driver: Driver) -> None:
    assert driver.ask(table_text(TWO, "4090", p2p=2)).pairs[0].p2p is False
    assert driver.ask(table_text(TWO, "4090", p2p=6)).pairs[0].p2p is None


def test_mig_devices_with_holes(driver: Driver) -> None:
    table = table_text(ONE).replace("mig=0", "mig=1")
    table += "mig\tgpu=0\tslot=5\tuuid=MIG-b\tname=NVIDIA H100 80GB HBM3 MIG 2g.20gb\n"
    table += "mig\tgpu=0\tslot=2\tuuid=MIG-a\tname=NVIDIA H100 MIG 1g.10gb\tmemory_mib=9984\n"
    (gpu,) = driver.ask(table).gpus
    assert gpu.mig is True
    assert [(one.uuid, one.memory_bytes) for one in gpu.mig_devices] == [
        ("MIG-a", 9984 << 20),
        ("MIG-b", None),
    ]


def test_processes_once_each(driver: Driver) -> None:
    more = [
        "process\tgpu=0\tpid=70\tmemory_mib=100",
        "process\tgpu=0\tpid=70\tmemory_mib=300\tkind=graphics",
        "process\tgpu=0\tpid=9",
        "process\tgpu=1\tpid=5\tmemory_mib=7",
    ]
    answers = driver.ask(table_text(TWO, more=more))
    assert answers.gpus[0].processes == (NvmlProcess(9), NvmlProcess(70, 300 << 20))
    assert answers.gpus[1].processes == (NvmlProcess(5, 7 << 20),)


def test_addresses_as_text() -> None:
    assert address_text(b"00000000:17:00.0") == "00000000:17:00.0"
    assert address_text(b"\0\0") is None

"""Every call of NVML failing alone, in every way: its own field is unknown, the rest stands."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import tests.standin
from provision.host.inspect.nvidia.answers import NvmlAnswers
from tests.standin.build import MACHINES, Slice, line, machine_table, mig_uuid_of, table_text

from .driver import Driver
from .test_nvml import ONE, TOLD, TWO

_CODES = (2, 3, 4, 13, 15, 999)  # 13: as if the library had no such symbol
_LOST = (15,)
_ROWS = {
    "remapped_correctable",
    "remapped_uncorrectable",
    "remapping_pending",
    "remapping_failed",
}
# What may change when a call fails for GPU 0. Nothing: another call tells the same.
_COSTS: dict[str, set[str]] = {
    "nvmlDeviceGetUUID": {"uuid", "mig_devices", "processes"},
    "nvmlDeviceGetName": {"name", "mig_devices"},
    "nvmlDeviceGetSerial": {"serial"},
    "nvmlDeviceGetVbiosVersion": {"vbios"},
    "nvmlDeviceGetMinorNumber": {"minor"},
    "nvmlDeviceGetComputeMode": {"compute_mode"},
    "nvmlDeviceGetNumaNodeId": {"memory_node"},
    "nvmlDeviceGetCurrPcieLinkGeneration": {"pcie_generation"},
    "nvmlDeviceGetMaxPcieLinkGeneration": {"pcie_generation_max"},
    "nvmlDeviceGetGpuMaxPcieLinkGeneration": {"pcie_generation_card"},
    "nvmlDeviceGetCurrPcieLinkWidth": {"pcie_width"},
    "nvmlDeviceGetMaxPcieLinkWidth": {"pcie_width_max"},
    "nvmlDeviceGetRetiredPagesPendingStatus": set(),
    "nvmlDeviceGetPciInfo_v3": {"bus"},
    "nvmlDeviceGetMemoryInfo_v2": {"used_bytes", "reserved_bytes"},
    "nvmlDeviceGetMemoryInfo": set(),
    "nvmlDeviceGetCudaComputeCapability": {"capability"},
    "nvmlDeviceGetAddressingMode": {"addressing_mode"},
    "nvmlDeviceGetCpuAffinity": {"cpu_affinity"},
    "nvmlDeviceGetMemoryAffinity": {"node_affinity"},
    "nvmlDeviceGetTemperature": set(),
    "nvmlDeviceGetTemperatureV": set(),
    "nvmlDeviceGetUtilizationRates": {"utilization"},
    "nvmlDeviceGetClockInfo": {"clock_sm", "clock_memory"},
    "nvmlDeviceGetMaxClockInfo": {"clock_sm_max"},
    "nvmlDeviceGetCurrentClocksEventReasons": set(),
    "nvmlDeviceGetCurrentClocksThrottleReasons": set(),
    "nvmlDeviceGetEccMode": {"ecc", "ecc_pending"},
    "nvmlDeviceGetTotalEccErrors": {"ecc_uncorrected", "ecc_uncorrected_total"},
    "nvmlDeviceGetRemappedRows": _ROWS,
    "nvmlDeviceGetFieldValues": {"recovery_action"},
    "nvmlDeviceGetPowerUsage": {"power_draw"},
    "nvmlDeviceGetPowerManagementDefaultLimit": {"power_default"},
    "nvmlDeviceGetPowerManagementLimit": {"power_limit"},
    "nvmlDeviceGetEnforcedPowerLimit": {"power_enforced"},
    "nvmlDeviceGetPowerManagementLimitConstraints": {"power_min", "power_max"},
    "nvmlDeviceGetPersistenceMode": {"persistence"},
    "nvmlDeviceGetNvLinkState": {"links"},
    "nvmlDeviceGetNvLinkVersion": {"links"},
    "nvmlDeviceGetNvLinkRemoteDeviceType": {"links"},
    "nvmlDeviceGetNvLinkRemotePciInfo_v2": {"links"},
    "nvmlDeviceGetGpuFabricInfo": set(),
    "nvmlDeviceGetGpuFabricInfoV": set(),
    "nvmlDeviceGetMigMode": {"mig", "mig_pending", "mig_devices", "processes"},
    "nvmlDeviceGetMaxMigDeviceCount": set(),
    "nvmlDeviceGetMigDeviceHandleByIndex": {"mig_devices", "processes"},
    "nvmlDeviceGetGpuInstanceId": {"mig_devices", "processes"},
    "nvmlDeviceGetComputeInstanceId": {"mig_devices", "processes"},
    "nvmlDeviceGetComputeRunningProcesses_v3": {"processes", "mig_devices"},
    "nvmlDeviceGetGraphicsRunningProcesses_v3": {"processes", "mig_devices"},
    "nvmlDeviceGetComputeRunningProcesses_v2": set(),
    "nvmlDeviceGetGraphicsRunningProcesses_v2": set(),
}
_OF_PAIRS = {"nvmlDeviceGetTopologyCommonAncestor", "nvmlDeviceGetP2PStatus"}
_OF_THE_DRIVER = {
    "nvmlSystemGetDriverVersion",
    "nvmlSystemGetCudaDriverVersion",
    "nvmlSystemGetCudaDriverVersion_v2",
}
_NOT_HERE = {  # other tests ask these, or nobody does
    "nvmlDeviceGetCount_v2",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetHandleByUUID",
    "nvmlDeviceGetHandleByPciBusId_v2",
    "nvmlDeviceGetDeviceHandleFromMigDeviceHandle",
}


def _rich(*errors: tuple[str, int | None, int]) -> str:
    """Two GPUs that tell everything that there is to tell, one of them sliced."""
    values = {**TOLD, "retired_pending": 1}
    return table_text(
        TWO,
        ("h100-mig", "h100"),
        nvlinks={(0, 1): 4},
        cpus=["0-3", "4-7"],
        node_lists=["0", "1"],
        memory_nodes=[2, 3],
        slices=(Slice(0, "1g.10gb", 9984, gi=7),),
        values={0: values, 1: values},
        errors=errors,
        more=[
            line("process", gpu=0, pid=70, memory_mib=100, gi=7, ci=0),
            line("process", gpu=0, pid=71, memory_mib=10, kind="graphics"),
        ],
    )


def test_every_call_of_the_stand_in_is_tried() -> None:
    folder = Path(tests.standin.__file__).parent
    text = "".join(path.read_text() for path in sorted(folder.glob("*.c")))
    known = set(re.findall(r"(?:\bint |TEXT\(|NUMBER\()(nvml(?:Device|System)Get\w+)", text))
    assert known == {*_COSTS, *_OF_PAIRS, *_OF_THE_DRIVER, *_NOT_HERE}


def test_the_rich_machine_tells_all(driver: Driver) -> None:
    """Else the comparisons below would prove nothing."""
    (gpu, other) = driver.ask(_rich()).gpus
    for one in dataclasses.fields(gpu):
        assert getattr(gpu, one.name) not in (None, ()), one.name
    assert [one.active for one in gpu.links or ()] == [True] * 4 + [False] * 14
    assert gpu.mig_devices[0].processes and other.mig is False


def _compared(whole: NvmlAnswers, poor: NvmlAnswers, costs: set[str], where: str) -> None:
    assert poor.problem is None, where
    assert poor.gpus[1] == whole.gpus[1], where
    changed = {
        one.name
        for one in dataclasses.fields(whole.gpus[0])
        if getattr(whole.gpus[0], one.name) != getattr(poor.gpus[0], one.name)
    }
    assert changed <= costs, where


@pytest.mark.parametrize("code", _CODES)
def test_each_refused_call_costs_its_own_field_alone(driver: Driver, code: int) -> None:
    calls = sorted(_COSTS)
    whole, *answers = driver.ask_many([_rich(), *(_rich((call, 0, code)) for call in calls)])
    for call, poor in zip(calls, answers, strict=True):
        _compared(whole, poor, _COSTS[call], f"{call} {code}")
        assert poor.pairs == whole.pairs, call
        expected = _COSTS[call] - {"mig_devices", "processes", "links"} - _ROWS
        if call != "nvmlDeviceGetMemoryInfo_v2":
            for name in expected:
                assert getattr(poor.gpus[0], name) is None, f"{call} {name}"
        asked = bool(_COSTS[call]) or "_v2" in call
        if code not in _LOST:
            assert poor.lost == (), call
        elif asked and "Info_v3" not in call and not call.endswith("Processes_v2"):
            assert poor.lost == ("GPU 0 (0000:01:00.0): GPU is lost",), call


@pytest.mark.parametrize("code", _CODES)
def test_refusals_about_pairs_and_the_driver(driver: Driver, code: int) -> None:
    calls = sorted(_OF_PAIRS | _OF_THE_DRIVER)
    whole, *answers = driver.ask_many([_rich(), *(_rich((call, None, code)) for call in calls)])
    for call, poor in zip(calls, answers, strict=True):
        assert (poor.gpus, poor.lost) == (whole.gpus, ()), call
        (pair,) = poor.pairs
        assert (pair.ancestor is None) == ("Ancestor" in call)
        assert (pair.p2p is None) == (pair.nvlink is None) == ("P2P" in call)
        assert (poor.version is None) == (call == "nvmlSystemGetDriverVersion")
        assert poor.cuda == "13.0"  # there are two calls for it


@pytest.mark.parametrize("code", _CODES)
def test_everything_about_a_gpu_refused_at_once(driver: Driver, code: int) -> None:
    """A handle and no more: it is listed, and the other GPU is whole."""
    errors = [(call, 0, code) for call in _COSTS]
    whole, poor = driver.ask_many([_rich(), _rich(*errors)])
    gpu = poor.gpus[0]
    values = {getattr(gpu, one.name) for one in dataclasses.fields(gpu) if one.name != "index"}
    assert values <= {None, ()}
    assert poor.gpus[1] == whole.gpus[1]
    assert poor.lost == (("GPU 0 of NVML: GPU is lost",) if code in _LOST else ())


def test_a_gpu_that_is_lost_after_any_call(driver: Driver) -> None:
    """It is listed with what it told before, and named by its address as soon as that is known."""
    counts = (*range(1, 30), *range(30, 140, 7))
    tables = [_rich() + line("lost", gpu=0, after=count) for count in counts]
    whole, *answers = driver.ask_many([_rich(), *tables])
    for count, poor in zip(counts, answers, strict=True):
        gpu = poor.gpus[0]
        assert gpu.index == 0
        assert poor.gpus[1] == whole.gpus[1]
        for one in dataclasses.fields(gpu):
            if one.name not in ("links", "mig_devices", "processes", "used_bytes"):
                told = getattr(gpu, one.name)
                assert told in (None, getattr(whole.gpus[0], one.name)), (count, one.name)
        name = "GPU 0 (0000:01:00.0)" if gpu.bus else "GPU 0 of NVML"
        assert poor.lost in ((f"{name}: GPU is lost",), ())
        assert poor.lost or poor.gpus == whole.gpus, count
    assert all(poor.lost for poor in answers[:29])
    assert not answers[-1].lost
    assert [answers[0].gpus[0].bus, answers[2].gpus[0].bus] == [None, "00000000:01:00.0"]


def test_a_gpu_that_cannot_be_opened_leaves_the_others(driver: Driver) -> None:
    for code, words in ((15, "GPU is lost"), (4, "Insufficient Permissions"), (16, "GPU requires")):
        refusal = ("nvmlDeviceGetHandleByIndex_v2", 0, code)
        answers = driver.ask(table_text(TWO, errors=[refusal]))
        assert [gpu.index for gpu in answers.gpus] == [1]
        assert len(answers.lost) == 1
        assert answers.lost[0].startswith(f"GPU 0 of NVML: {words}")
        assert answers.pairs == ()


def test_a_gpu_that_wants_a_reset_is_told_of(driver: Driver) -> None:
    answers = driver.ask(table_text(ONE, errors=[("nvmlDeviceGetUtilizationRates", 0, 16)]))
    assert answers.lost == ("GPU 0 (0000:01:00.0): GPU requires restart",)
    assert answers.gpus[0].temperature == 34


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_every_machine_is_understood(driver: Driver, name: str) -> None:
    answers = driver.ask(machine_table(name))
    assert (answers.problem, answers.lost) == (None, ())
    assert all(gpu.uuid and gpu.bus and gpu.capability for gpu in answers.gpus)
    assert str(len(answers.gpus)) == name[0] or name == "mixed-24-12"
    sliced = [one.uuid for gpu in answers.gpus for one in gpu.mig_devices]
    assert (mig_uuid_of("0000:17:00.0", 7) in sliced) == (name == "1xh100-mig")

"""The stand-in's settings behave as a driver's: range, root alone, kept until the reboot."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.standin.build import MODELS, build, machine_table, table_text, uuid_of

from .driver import Driver

_SET = """
import pynvml
pynvml.nvmlInit()
handle = pynvml.nvmlDeviceGetHandleByPciBusId("{bus}")
try:
    pynvml.nvmlDeviceSetPowerManagementLimit(handle, {milliwatt})
    pynvml.nvmlDeviceSetPersistenceMode(handle, 1)
    print("done")
except pynvml.NVMLError as error:
    print(error)
"""
_BUS = "0000:01:00.0"
_root = pytest.mark.skipif(os.geteuid() != 0, reason="the driver lets root alone set")


def _set(driver: Driver, milliwatt: int, table: str) -> str:
    return driver.run(_SET.format(bus=_BUS, milliwatt=milliwatt), table).strip()


@_root
def test_settings_are_read_back_by_others_and_lost_at_reboot(driver: Driver) -> None:
    table = table_text((_BUS, "0000:02:00.0"), "3090")
    assert _set(driver, 300000, table) == "done"
    first, second = driver.ask(table).gpus
    assert (first.power_limit, first.persistence) == (300000, True)
    assert (second.power_limit, second.persistence) == (350000, False)
    shutil.rmtree(driver.folder / "state")
    assert driver.ask(table).gpus[0].power_limit == 350000


@_root
@pytest.mark.parametrize("milliwatt", [99999, 366001, 0])
def test_out_of_range_is_refused(driver: Driver, milliwatt: int) -> None:
    table = table_text((_BUS,), "3090")
    assert _set(driver, milliwatt, table) == "Invalid Argument"
    assert driver.ask(table).gpus[0].power_limit == 350000


@_root
def test_others_than_root_may_read_but_not_set(driver: Driver) -> None:
    table = table_text((_BUS,), "3090")
    code = _SET.format(bus=_BUS, milliwatt=300000).replace(
        "try:", "import os; os.setuid(65534)\ntry:", 1
    )
    assert driver.run(code, table).strip() == "Insufficient Permissions"
    assert driver.ask(table).gpus[0].power_limit == 350000


@_root
def test_not_supported_on_a_laptop(driver: Driver) -> None:
    assert _set(driver, 100000, machine_table("1x4090-laptop")) == "Not Supported"


def test_every_model_makes_a_gpu_that_is_understood(driver: Driver) -> None:
    tables = [table_text((_BUS,), name) for name in sorted(MODELS)]
    for name, answers in zip(sorted(MODELS), driver.ask_many(tables), strict=True):
        model, (gpu,) = MODELS[name], answers.gpus
        assert (gpu.name, gpu.capability, gpu.uuid) == (model.name, model.capability, uuid_of(_BUS))
        assert gpu.memory_bytes == (None if model.memory_mib is None else model.memory_mib << 20)
        assert (gpu.power_default is None) == (model.power is None)
        assert (gpu.mig, gpu.ecc) == (model.mig_on if model.mig else None, model.ecc)
        assert len(gpu.links or ()) == model.link_slots
        assert (gpu.pcie_generation_card, gpu.pcie_width_max) == model.pcie


def test_tables_tell_what_they_were_asked_to(driver: Driver) -> None:
    """The pieces of whole synthesised machines, as the tests of facts use them."""
    buses = ("0008:01:00.0", "0009:01:00.0", "0018:01:00.0", "0019:01:00.0")
    table = table_text(
        buses,
        "gb200",
        nodes=(0, 0, 1, 1),
        switch_links=(18, 18, 18, 17),
        switches=["FFFFFFFF:FF:FF.0"],
        cpus=["0-71", "0-71", "72-143", "72-143"],
        node_lists=["0,2-17"] * 2 + ["1,18-33"] * 2,
        memory_nodes=[2, 10, 18, 26],
        values={3: {"serial": None, "persistence": 1}},
        version="570.124.06",
        cuda=12080,
    )
    answers = driver.ask(table)
    assert (answers.version, answers.cuda) == ("570.124.06", "12.8")
    assert [gpu.memory_node for gpu in answers.gpus] == [2, 10, 18, 26]
    assert [str(gpu.node_affinity) for gpu in answers.gpus][1:3] == ["0,2-17", "1,18-33"]
    assert [gpu.persistence for gpu in answers.gpus] == [False, False, False, True]
    assert [gpu.serial is None for gpu in answers.gpus] == [False, False, False, True]
    up = [sum(1 for link in gpu.links or () if link.active) for gpu in answers.gpus]
    assert up == [18, 18, 18, 17]
    assert {gpu.fabric_state for gpu in answers.gpus} == {3}
    assert [pair.ancestor for pair in answers.pairs] == [40, 50, 50, 50, 50, 40]
    assert {pair.nvlink for pair in answers.pairs} == {0}


def test_hidden_functions_are_not_found(tmp_path: Path) -> None:
    driver = Driver(build(tmp_path / "old", ("nvmlDeviceGetName",)), tmp_path)
    code = _SET.format(bus=_BUS, milliwatt=1).replace(
        "pynvml.nvmlDeviceSetPowerManagementLimit(handle, 1)", "pynvml.nvmlDeviceGetName(handle)"
    )
    assert driver.run(code, table_text((_BUS,))).strip() == "Function Not Found"


def test_processes_by_their_environment(driver: Driver) -> None:
    table = table_text((_BUS,), more=["scan\tvariable=STANDIN_GPUS"])
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE,"
        " env={**os.environ, 'STANDIN_GPUS': '3,0'})\n"
        "from provision.host.inspect.nvidia.nvml.child import ask_nvml\n"
        "path = f'/proc/{child.pid}/environ'\n"
        "while b'STANDIN_GPUS=' not in open(path, 'rb').read(): time.sleep(0.01)\n"
        "print([one.pid for one in ask_nvml().gpus[0].processes] == [child.pid])\n"
        "child.communicate(b'x')\n"
    )
    assert driver.run(code, table).strip() == "True"


def test_machine_tables_are_stable() -> None:
    assert machine_table("4xh100-2node") == machine_table("4xh100-2node")
    assert Path(__file__).name not in machine_table("mixed-24-12")

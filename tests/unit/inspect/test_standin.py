"""The stand-in's settings behave as a driver's: range, root alone, kept until the reboot."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.standin.build import MACHINES, machine_table, table_text

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


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_every_machine_is_understood(driver: Driver, name: str) -> None:
    answers = driver.ask(machine_table(name))
    assert answers.problem is None
    assert all(gpu.uuid and gpu.bus and gpu.memory_bytes for gpu in answers.gpus)
    assert str(len(answers.gpus)) == name[0] or name == "mixed-24-12"


def test_processes_by_their_environment(driver: Driver) -> None:
    table = table_text((_BUS,), more=["scan\tvariable=STANDIN_GPUS"])
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE,"
        " env={**os.environ, 'STANDIN_GPUS': '3,0'})\n"
        "from provision.host.inspect.nvml import ask_nvml\n"
        "path = f'/proc/{child.pid}/environ'\n"
        "while b'STANDIN_GPUS=' not in open(path, 'rb').read(): time.sleep(0.01)\n"
        "print([one.pid for one in ask_nvml().gpus[0].processes] == [child.pid])\n"
        "child.communicate(b'x')\n"
    )
    assert driver.run(code, table).strip() == "True"


def test_machine_tables_are_stable() -> None:
    assert machine_table("4xh100-2node") == machine_table("4xh100-2node")
    assert Path(__file__).name not in machine_table("mixed-24-12")

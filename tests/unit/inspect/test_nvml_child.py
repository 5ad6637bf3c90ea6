"""The child that asks the driver: it hangs, crashes, is missing something, is interrupted."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from provision.host.inspect.nvidia.answers import NvmlAnswers
from provision.host.inspect.nvidia.nvml.child import ending, read_document
from tests.standin.build import build, line, table_text

from .driver import Driver

ONE = ("0000:01:00.0",)

_ASK = "from provision.host.inspect.nvidia.nvml.child import ask_nvml\n"
_NO_CHILD_IS_LEFT = """
import os
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child")
"""


def test_no_table_is_no_driver(driver: Driver) -> None:
    assert driver.ask(None) == NvmlAnswers(problem="Driver Not Loaded")


def test_a_library_that_does_not_fit_the_module(driver: Driver) -> None:
    table = table_text(ONE, errors=[("nvmlInitWithFlags", None, 18)])
    assert "mismatch" in (driver.ask(table).problem or "")


def test_no_library_at_all(tmp_path: Path) -> None:
    answers = Driver(tmp_path / "nowhere" / "none.so", tmp_path).ask(None)
    assert answers.problem == "NVML Shared Library Not Found"


def test_a_library_that_is_none(tmp_path: Path) -> None:
    library = tmp_path / "libnvidia-ml.so.1"
    library.write_text("not ELF")
    assert Driver(library, tmp_path).ask(None).problem == "NVML Shared Library Not Found"


def test_a_driver_without_the_first_call(tmp_path: Path) -> None:
    driver = Driver(build(tmp_path / "old", ("nvmlInitWithFlags",)), tmp_path)
    assert driver.ask(table_text(ONE)).problem == "Function Not Found"


def test_a_count_that_is_refused_is_a_problem(driver: Driver) -> None:
    answers = driver.ask(table_text(ONE, errors=[("nvmlDeviceGetCount_v2", None, 999)]))
    assert answers.problem == "Unknown Error"


def test_a_driver_that_serves_no_gpu(driver: Driver) -> None:
    assert driver.ask("driver\tversion=580.95.05\n") == NvmlAnswers(version="580.95.05")


@pytest.mark.parametrize("call", ["nvmlInitWithFlags", "nvmlDeviceGetVbiosVersion"])
def test_a_call_that_never_returns(driver: Driver, call: str) -> None:
    table = table_text(ONE, more=[line("hang", call=call)])
    start = time.monotonic()
    said = driver.run(f"{_ASK}print(ask_nvml(0.5).problem)\n{_NO_CHILD_IS_LEFT}", table)
    assert said == "the driver did not answer within 0.5 s\nno child\n"
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("call", ["nvmlInitWithFlags", "nvmlDeviceGetName"])
def test_a_call_that_crashes(driver: Driver, call: str) -> None:
    table = table_text(ONE, more=[line("crash", call=call)])
    said = driver.run(f"{_ASK}print(ask_nvml().problem)\n{_NO_CHILD_IS_LEFT}", table)
    assert said == "the driver's library crashed: Aborted\nno child\n"


@pytest.mark.parametrize("fate", ["", "hang\tcall=nvmlInitWithFlags", "crash\tcall=*"])
def test_what_was_printed_before_is_printed_once(driver: Driver, fate: str) -> None:
    code = f"{_ASK}print('one', end=' ')\nask_nvml(0.5)\nprint('two')"
    assert driver.run(code, table_text(ONE, more=[fate])) == "one two\n"


def test_the_parent_loads_neither_pynvml_nor_the_library(driver: Driver) -> None:
    code = f"""{_ASK}
import sys
print(len(ask_nvml().gpus), "pynvml" in sys.modules)
print("nvidia-ml" in open("/proc/self/maps").read())
"""
    assert driver.run(code, table_text(ONE)) == "1 False\nFalse\n"


def test_what_the_library_prints_is_no_result(driver: Driver) -> None:
    code = f"""{_ASK}
import os, sys, types
fake = types.ModuleType("pynvml")
fake.NVMLError = type("NVMLError", (Exception,), {{}})
fake.nvmlInit = lambda: os.write(1, b"loud")
fake.nvmlDeviceGetCount = lambda: 0
fake.nvmlSystemGetDriverVersion = lambda: "1.2"
sys.modules["pynvml"] = fake
print(ask_nvml().version)
"""
    assert driver.run(code, None) == "1.2\n"


def test_a_fault_of_the_binding_is_told(driver: Driver) -> None:
    code = f"{_ASK}import sys, types\nsys.modules['pynvml'] = %s\nprint(ask_nvml().problem)"
    missing = driver.run(code % "None", None)
    assert missing.startswith("the Python module pynvml is missing")
    broken = driver.run(code % "types.ModuleType('pynvml')", None)
    assert broken.startswith("asking the driver failed: AttributeError(")


def test_an_interrupted_parent_leaves_no_child(driver: Driver) -> None:
    code = f"""{_ASK}
import signal
def stop(number, frame):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, stop)
signal.setitimer(signal.ITIMER_REAL, 0.5)
try:
    ask_nvml(30)
except KeyboardInterrupt:
    print("stopped")
{_NO_CHILD_IS_LEFT}"""
    table = table_text(ONE, more=["hang\tcall=nvmlInitWithFlags"])
    assert driver.run(code, table) == "stopped\nno child\n"


def test_children_that_somebody_else_waits_for(driver: Driver) -> None:
    code = f"{_ASK}import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    said = driver.run(f"{code}print(len(ask_nvml().gpus))", table_text(ONE))
    assert said == "1\n"


def test_no_room_for_a_pipe_or_a_process(driver: Driver) -> None:
    code = f"{_ASK}import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
    said = driver.run(f"{code}print(ask_nvml().problem)", table_text(ONE))
    assert said == "no pipe to ask the driver through: Too many open files\n"


def test_documents_that_are_cut_off() -> None:
    assert read_document(b"{}", 0) == NvmlAnswers()
    cut = read_document(b'{"version": "58', int(signal.SIGSEGV)).problem or ""
    assert cut.startswith("the driver's library crashed: Segmentation fault (")
    for text in (b"\xff\xfe", b"[]", b'{"gpus": 3}', b'{"unknown": 1}'):
        assert (read_document(text, 0).problem or "").startswith("the driver's library ended")


def test_endings() -> None:
    assert ending(int(signal.SIGKILL)) == "the driver's library crashed: Killed"
    for status in (None, 0, 1 << 8):
        assert ending(status) == "the driver's library ended the process that asked it"

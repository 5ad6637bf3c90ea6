"""NVIDIA on this machine: the driver's answers, by NVML or by nvidia-smi, and its log."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from ...facts import NumaNode
from ..bus.bus import Bus
from ..gpus import GpusFound
from ..source import Source

if TYPE_CHECKING:
    from .answers import NvmlAnswers

_MODULE = "/proc/driver/nvidia/version"
_HUNG = "the driver did not answer within"


def read_nvidia(source: Source, bus: Bus, nodes: Sequence[NumaNode]) -> GpusFound:
    """The GPUs by NVML, or by nvidia-smi where NVML fails; nothing without anything of NVIDIA."""
    module = module_version(source.text(_MODULE) or "")
    there = module is not None or any(one.vendor == "nvidia" for one in bus.accelerators)
    answers = source.ask_nvml()
    if answers is None and not there:
        return GpusFound()
    # What follows is loaded only where there may be something of NVIDIA.
    from .answers import NvmlAnswers
    from .log import read_driver_log
    from .nvidia import read_answers

    told_by: Literal["nvml", "nvidia-smi"] = "nvml"
    answers = answers or NvmlAnswers(problem="the driver was not asked")
    if answers.problem:
        table = _second_opinion(source, answers.problem)
        if table is not None:
            told_by = "nvidia-smi"
            answers = dataclasses.replace(table, problem=answers.problem)
        elif not there:
            return GpusFound()
    log = read_driver_log(source)
    found = read_answers(answers, bus, nodes, told_by)
    driver = found.driver
    if driver is not None:
        # A library that does not fit the module tells nothing, not even its own version: the
        # module does, in the kernel's log.
        library, loaded = log.mismatch if log.mismatch and answers.problem else (None, None)
        version = driver.version or library
        driver = dataclasses.replace(driver, version=version, module=module or loaded)
    return dataclasses.replace(found, driver=driver, xids=log.xids, xids_known=log.known)


def module_version(text: str) -> str | None:
    """The kernel module's version in /proc/driver/nvidia/version."""
    match = re.search(r"NVRM version:.*?\s(\d{3}\.\d+(?:\.\d+)?)\s", text)
    return match[1] if match else None


def _second_opinion(source: Source, problem: str) -> NvmlAnswers | None:
    """nvidia-smi's answers; not asked where it would wait for the same driver for ever."""
    if problem.startswith(_HUNG) or source.which("nvidia-smi") is None:
        return None
    from .smi import ask_nvidia_smi

    return ask_nvidia_smi(source)

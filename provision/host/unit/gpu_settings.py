"""gpu-settings: persistence and power limits by UUID, at boot and at each apply, read back."""

from __future__ import annotations

import time

from ..bundle import GpuSetting
from ..errors import ProvisionError, fail
from ..files import Files
from ..runtime import load_gpu_settings
from .nvml import GpuReading, Nvml, nvml

_DRIVER_SECONDS = 60.0
_WATTS = 0.6  # cards round to their own steps


def gpu_settings(files: Files, wait_seconds: float = _DRIVER_SECONDS) -> None:
    """Make the wanted settings hold; what holds already is not set again.

    ProvisionError `gpu-setting` names every GPU where it could not be done, and why: all others
    are set nevertheless.
    """
    wanted = load_gpu_settings(files)
    if not wanted.gpus:
        print("gpu-settings: nothing to set")
        return
    _wait_for_driver(wait_seconds)
    problems: list[ProvisionError] = []
    with nvml() as session:
        for gpu in wanted.gpus:
            try:
                print(f"gpu-settings: {gpu.address}: {set_gpu(session, gpu)}")
            except ProvisionError as error:
                problems.append(error)
    if problems:
        raise ProvisionError(*(one for error in problems for one in error.diagnostics))


def set_gpu(session: Nvml, gpu: GpuSetting) -> str:
    """Set one GPU and read it back; what was done, in words."""
    now = session.read(gpu.uuid)
    done: list[str] = []
    # Persistence first: without it a limit is lost when the last client closes the card.
    if gpu.persistence is not None and now.persistence != gpu.persistence:
        session.set_persistence(gpu.uuid, gpu.persistence)
        done.append(f"persistence {'on' if gpu.persistence else 'off'}")
    if gpu.power_limit_watts is not None and not _holds(now, gpu.power_limit_watts):
        _check_range(gpu, gpu.power_limit_watts, now)
        session.set_power_limit(gpu.uuid, gpu.power_limit_watts)
        done.append(f"power limit {gpu.power_limit_watts:g} W")
    after = session.read(gpu.uuid)
    if gpu.persistence is not None and after.persistence != gpu.persistence:
        raise fail("gpu-setting", f"{gpu.address}: persistence was set and reads back otherwise")
    if gpu.power_limit_watts is not None and not _holds(after, gpu.power_limit_watts):
        shown = "nothing" if after.power_limit_watts is None else f"{after.power_limit_watts:g} W"
        raise fail(
            "gpu-setting",
            f"{gpu.address}: power limit {gpu.power_limit_watts:g} W was set, {shown} reads back",
        )
    enforced = after.enforced_watts
    if enforced is not None and gpu.power_limit_watts and enforced < gpu.power_limit_watts - _WATTS:
        done.append(f"the card itself enforces {enforced:g} W")
    return ", ".join(done) or "holds already"


def _holds(reading: GpuReading, watts: float) -> bool:
    limit = reading.power_limit_watts
    return limit is not None and abs(limit - watts) <= _WATTS


def _check_range(gpu: GpuSetting, watts: float, now: GpuReading) -> None:
    low, high = now.power_min_watts, now.power_max_watts
    if low is not None and high is not None and not low <= watts <= high:
        raise fail(
            "gpu-setting",
            f"{gpu.address}: power limit {watts:g} W is outside of {low:g} to {high:g} W",
        )


def _wait_for_driver(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with nvml():
                return
        except ProvisionError as error:
            if time.monotonic() >= deadline or error.diagnostics[0].rule == "no-nvml":
                raise
        time.sleep(1)

"""guard NAME: runs as root before an instance starts, at boot and at every restart.

It waits for the driver, lets the start fail unless exactly the planned GPUs are there, and writes
what can only be known now (indices of this boot, secrets) into /run/provision/NAME.env.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping, Sequence

from ..bundle import GuardGpu, InstanceRuntime
from ..errors import ProvisionError, fail
from ..files import Files
from ..runtime import RUNTIME, load_runtime
from ..secrets import loose_mode, read_secret
from .nvml import nvml

_DRIVER_SECONDS = 60.0  # NVIDIA's modules load late; nvidia-persistenced takes up to half a minute
_EVERY_SECONDS = 1.0


def guard(name: str, files: Files, wait_seconds: float = _DRIVER_SECONDS) -> None:
    """Let the instance start, or raise ProvisionError with one clear line for the journal."""
    runtime = load_runtime(files, name)
    variables: dict[str, str] = {}
    if runtime.gpus:
        present = wait_for_gpus(runtime, wait_seconds)
        if runtime.visible_devices_variable:
            variables[runtime.visible_devices_variable] = visible_devices(runtime.gpus, present)
    for variable, reference in sorted(runtime.secrets.items()):
        loose = loose_mode(files, reference.file)
        if loose:  # refused at apply; at a reboot an open mode is no reason to stay down
            print(f"warning: {loose}: chmod 600 {reference.file}", file=sys.stderr)
        variables[variable] = read_secret(files, reference)
    path = f"{RUNTIME}/{name}.env"
    if variables:
        files.write(path, env_file(variables).encode(), 0o600)
    else:
        files.remove(path)
    shown = ", ".join(str(gpu.address) for gpu in runtime.gpus) or "no GPU needed"
    print(f"guard: {name}: {shown}")


def wait_for_gpus(runtime: InstanceRuntime, seconds: float) -> tuple[GuardGpu, ...]:
    """All cards present, once the planned GPUs are there; ProvisionError after the time.

    MIG slices are looked for only where one is planned.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            with nvml() as session:
                present = session.present()
                sliced = any(is_slice(gpu) for gpu in runtime.gpus)
                slices = session.slices() if sliced else ()
            problem = missing(runtime.gpus, (*present, *slices))
            error = fail("gpu-missing", f"{runtime.name}: {problem}") if problem else None
        except ProvisionError as failure:
            present, error = (), failure
        if error is None:
            return present
        if time.monotonic() >= deadline or error.diagnostics[0].rule == "no-nvml":
            raise error
        time.sleep(min(_EVERY_SECONDS, max(0.0, deadline - time.monotonic())))


def is_slice(gpu: GuardGpu) -> bool:
    """Whether this is a MIG slice: its UUID is its own, its address that of its card."""
    return gpu.uuid.startswith("MIG-")


def missing(planned: Sequence[GuardGpu], present: Sequence[GuardGpu]) -> str | None:
    """What is wrong with the GPUs that are there, in one line; None when all is as planned."""
    by_uuid = {gpu.uuid: gpu for gpu in present}
    gone = [gpu for gpu in planned if gpu.uuid not in by_uuid]
    if gone:
        lost = ", ".join(f"{gpu.uuid} at {gpu.address}" for gpu in gone)
        here = ", ".join(f"{gpu.uuid} at {gpu.address}" for gpu in present) or "none"
        return f"planned {_noun(gone)} not there: {lost}; present: {here}. {_remedy(gone)}"
    moved = [gpu for gpu in planned if by_uuid[gpu.uuid].address != gpu.address]
    if moved:
        lines = [
            f"{gpu.uuid} is at {by_uuid[gpu.uuid].address}, not {gpu.address}" for gpu in moved
        ]
        where = f"{_noun(moved)} in another slot: {', '.join(lines)}"
        return f"{where}. Its NUMA node may differ: plan again"
    return None


def _noun(gpus: Sequence[GuardGpu]) -> str:
    return "MIG slice" if all(is_slice(gpu) for gpu in gpus) else "GPU"


def _remedy(gone: Sequence[GuardGpu]) -> str:
    """Slices are forgotten at every boot, unless something makes them again."""
    if all(is_slice(gpu) for gpu in gone):
        return "Slices do not outlive a boot: make them again before this unit, or plan again"
    return "Plan again after a change of cards"


def visible_devices(planned: Sequence[GuardGpu], present: Sequence[GuardGpu]) -> str:
    """Indices of this boot under CUDA_DEVICE_ORDER=PCI_BUS_ID, in the instance's own order."""
    order = [gpu.uuid for gpu in sorted(present, key=lambda gpu: gpu.address)]
    return ",".join(str(order.index(gpu.uuid)) for gpu in planned)


def env_file(variables: Mapping[str, str]) -> str:
    """Lines for systemd's EnvironmentFile=; ProvisionError for what no line can hold.

    Inside double quotes systemd takes a backslash before `"`, `\\`, `` ` `` and `$` and nothing
    else (systemd.exec(5), src/basic/env-file.c).
    """
    lines: list[str] = []
    for key, value in sorted(variables.items()):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            raise fail("bad-variable", f"{key!r} is not the name of a variable")
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise fail("bad-variable", f"the value of {key} holds a control character")
        quoted = re.sub(r'(["\\`$])', r"\\\1", value)
        lines.append(f'{key}="{quoted}"\n')
    return "".join(lines)

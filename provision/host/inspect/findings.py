"""What a sysadmin should know about the machine before anything is planned; quiet on a good one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import Diagnostic
from ..facts import Stable
from .nvidia import slot


def findings(
    stable: Stable, numa_problem: str | None, complaints: Sequence[str]
) -> tuple[Diagnostic, ...]:
    """The findings in a fixed order, warnings and notes only.

    numa_problem: why the NUMA information is not used; complaints: GPUs the driver cannot open.
    """
    return (
        *_driver(stable),
        *(_warning("gpu-unusable", one, "see the kernel log for NVRM: Xid") for one in complaints),
        *_foreign_drivers(stable),
        *_numa(stable, numa_problem),
        *_cgroup(stable),
    )


def _driver(stable: Stable) -> Iterator[Diagnostic]:
    """The driver cannot be asked although GPUs are there."""
    there = [device for device in stable.accelerators if device.vendor == "nvidia"]
    for driver in stable.drivers:
        if driver.vendor == "nvidia" and driver.problem and there:
            count = f"{len(there)} NVIDIA GPU{'s' if len(there) > 1 else ''} on the PCI bus"
            yield _warning(
                "gpu-driver",
                f"{count}, but the driver cannot be asked: {driver.problem}",
                _driver_hint(driver.problem),
            )


def _driver_hint(problem: str) -> str:
    if "mismatch" in problem.lower():
        return "the driver was updated under the running kernel module: reboot"
    if "not loaded" in problem.lower():
        return "load the module: modprobe nvidia, and see dmesg"
    return "install the NVIDIA driver, with its libnvidia-ml.so.1"


def _foreign_drivers(stable: Stable) -> Iterator[Diagnostic]:
    """GPUs that another driver holds, and GPUs on the bus that NVML does not list."""
    served = {slot(gpu.address) for gpu in stable.gpus}
    for device in stable.accelerators:
        if device.vendor != "nvidia":
            continue
        where = f"GPU {device.address}"
        if device.driver == "nouveau":
            yield _warning(
                "gpu-nouveau",
                f"{where} is held by the driver nouveau, which no engine can use",
                "install the NVIDIA driver and blacklist nouveau",
            )
        elif stable.gpus and slot(device.address) not in served:
            held = f"driver {device.driver}" if device.driver else "no driver"
            yield _warning(
                "gpu-not-served", f"{where} is on the PCI bus ({held}), but NVML does not list it"
            )


def _numa(stable: Stable, problem: str | None) -> Iterator[Diagnostic]:
    if problem:
        yield _warning(
            "numa-invalid",
            f"the firmware's NUMA information contradicts itself ({problem}):"
            " all CPUs are taken as one node",
            "update the firmware; until then nothing can be pinned to a node",
        )
    with_cpus = [node for node in stable.numa_nodes if node.cpus]
    if stable.system.numa_balancing and len(with_cpus) > 1:
        yield Diagnostic(
            "numa-balancing",
            f"kernel.numa_balancing is {stable.system.numa_balancing} on a machine of"
            f" {len(with_cpus)} nodes: the kernel moves pages that are pinned on purpose",
            hint="sysctl kernel.numa_balancing=0",
            severity="note",
        )


def _cgroup(stable: Stable) -> Iterator[Diagnostic]:
    if stable.system.cgroup in ("v1", "hybrid"):
        yield _warning(
            "cgroup-version",
            f"control groups are {stable.system.cgroup}, not v2: AllowedCPUs= and"
            " AllowedMemoryNodes= have no effect, CPUAffinity= and NUMAPolicy= still do",
            "boot with systemd.unified_cgroup_hierarchy=1"
            if stable.system.container is None
            else f"the host of this {stable.system.container} container decides",
        )


def _warning(rule: str, message: str, hint: str | None = None) -> Diagnostic:
    return Diagnostic(rule, message, hint=hint, severity="warning")

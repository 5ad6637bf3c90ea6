"""Drivers: GPUs on the bus that nothing can use, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...facts import Driver, Finding, PciDevice
from ..gpus import slot
from .case import NOT_ASKED, Case
from .complaints import complaints, lost_slots
from .names import devices_named, hold_driver, verb
from .severity import error, note, warning


def driver_findings(case: Case) -> Iterator[Finding]:
    yield from _mismatch(case)
    yield from _unasked(case)
    yield from _nouveau(case)
    yield from _passed_on(case)
    yield from _not_served(case)


def _mismatch(case: Case) -> Iterator[Finding]:
    """The library was updated under the loaded module: NVML and CUDA refuse everything."""
    driver = case.driver("nvidia")
    if driver is None or not _mismatched(driver):
        return
    versions = ""
    if driver.version and driver.module and driver.version != driver.module:
        versions = f": library {driver.version}, loaded module {driver.module}"
    elif driver.module:
        versions = f": the loaded module is {driver.module}"
    yield error(
        "driver-mismatch",
        "the NVIDIA driver's library and kernel module differ"
        + versions.replace(": ", " (", 1)
        + (")" if versions else ""),
        "nvidia-smi fails, and no program that starts now gets a GPU; those that run go on",
        f"reboot, or stop all GPU programs and nvidia-persistenced, then {_reload(case)};"
        f" afterwards {hold_driver(case)}",
        (str(one.address) for one in case.on_bus("nvidia")),
    )


def _reload(case: Case) -> str:
    """The modules that are loaded, those first that use the others."""
    order = ("nvidia_peermem", "nvidia_uvm", "nvidia_drm", "nvidia_modeset")
    above = [one for one in order if one in case.stable.kernel.modules]
    return f"modprobe -r {' '.join([*(above or order[1:]), 'nvidia'])} && modprobe nvidia"


def _mismatched(driver: Driver) -> bool:
    if "mismatch" in (driver.problem or "").lower():
        return True
    if driver.version is None or driver.module is None:
        return False
    # nvidia-smi of some releases tells two numbers where the module tells three.
    short, long = sorted((driver.version, driver.module), key=len)
    return long != short and not long.startswith(short + ".")


def _unasked(case: Case) -> Iterator[Finding]:
    """The driver does not answer at all although GPUs are there for it."""
    driver = case.driver("nvidia")
    if driver is None or not driver.problem or driver.source is not None:
        return
    if driver.problem == NOT_ASKED or _mismatched(driver):
        return
    there = [one for one in case.on_bus("nvidia") if one.driver not in ("nouveau", "vfio-pci")]
    if not there:
        return
    seen = f"{devices_named(case, there)} {verb(len(there), 'is', 'are')} on the PCI bus, but the"
    seen += f" NVIDIA driver cannot be asked ({driver.problem})"
    container = case.stable.system.container
    tell = error if container is None else note
    yield tell(
        "gpu-driver",
        seen,
        "no engine can use it here" if len(there) == 1 else "no engine can use them here",
        _driver_remedy(case, driver.problem),
        (str(one.address) for one in there),
    )


def _driver_remedy(case: Case, problem: str) -> str:
    container = case.stable.system.container
    if container is not None:
        return f"give the GPUs to the {container} container (docker run --gpus all, or CDI)"
    if "permission" in problem.lower():
        return "run it as root, or let the user open /dev/nvidia*"
    loaded = "nvidia" in case.stable.kernel.modules
    if case.stable.security.secure_boot and not loaded:
        return (
            "Secure Boot is on and the module is not loaded: sign it (mokutil --import, reboot,"
            " enrol the key) or take the distribution's signed driver; dmesg | grep -i nvidia tells"
            " whether it was refused"
        )
    if "not loaded" in problem.lower():
        return "modprobe nvidia; if it fails, dmesg | grep -i nvidia tells why"
    return "install the NVIDIA driver with its libnvidia-ml.so.1"


def _nouveau(case: Case) -> Iterator[Finding]:
    held = [one for one in case.on_bus("nvidia") if one.driver == "nouveau"]
    if held:
        yield error(
            "gpu-nouveau",
            f"{devices_named(case, held)} {verb(len(held), 'is', 'are')} held by nouveau",
            "no engine can use a GPU through nouveau",
            "install the NVIDIA driver, blacklist nouveau, rebuild the initramfs and reboot",
            (str(one.address) for one in held),
        )


def _passed_on(case: Case) -> Iterator[Finding]:
    """GPUs that are kept for virtual machines: on purpose, but not to be planned with."""
    held = [
        one
        for vendor in ("nvidia", "amd", "intel")
        for one in case.stable.accelerators
        if one.vendor == vendor and one.driver == "vfio-pci" and not (one.integrated or one.virtual)
    ]
    if held:
        yield note(
            "gpu-passed-on",
            f"{devices_named(case, held)} {verb(len(held), 'is', 'are')} held by vfio-pci",
            "kept for a virtual machine and not for engines on this host",
            "if that is not meant: take the ids out of vfio-pci.ids and reboot",
            (str(one.address) for one in held),
        )


def _not_served(case: Case) -> Iterator[Finding]:
    """GPUs on the bus that the driver, which answers, does not list."""
    apart = ("nouveau", "vfio-pci")
    lost = lost_slots(case)
    driver = case.driver("nvidia")
    # A container is shown the whole bus and given some of the GPUs.
    if driver is not None and driver.source and case.stable.system.container is None:
        said = {one.where for one in complaints(case)}
        missing = [
            one
            for one in case.on_bus("nvidia")
            if slot(one.address) not in case.served
            and slot(one.address) not in lost
            and slot(one.address) not in said
            and one.driver not in apart
        ]
        if missing:
            yield _missing(case, missing, "NVIDIA's driver does not list")
    without = [
        one
        for one in case.on_bus("amd")
        if one.driver is None and _discrete(case, one) and slot(one.address) not in lost
    ]
    if without:
        yield _missing(case, without, "no driver serves")


def _discrete(case: Case, device: PciDevice) -> bool:
    """An AMD card without a driver, told from graphics on a CPU: by class, or its own switch."""
    if device.class_code == "1200":
        return True
    upstream = case.bridges.get(device.bridges[-2]) if len(device.bridges) > 2 else None
    return upstream is not None and upstream.vendor_id == device.vendor_id


def _missing(case: Case, devices: Sequence[PciDevice], what: str) -> Finding:
    held = {one.driver for one in devices if one.driver}
    drivers = f" (driver {', '.join(sorted(held))})" if held else " (no driver bound)"
    it = verb(len(devices), "it", "them")
    return warning(
        "gpu-not-served",
        f"{devices_named(case, devices)} {verb(len(devices), 'is', 'are')} on the PCI bus{drivers},"
        f" but {what} {it}",
        f"no engine can use {it}",
        "dmesg | grep -iE 'nvrm|amdgpu' tells why: a driver too old for the card, a failed start,"
        " missing power cables",
        (str(one.address) for one in devices),
    )

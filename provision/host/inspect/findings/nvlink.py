"""NVLink: the fabric of NVSwitch machines, links that are down, bridges that are not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...facts import Finding, Gpu, UnitNow
from .case import Case
from .kinds import bridge_bandwidth, old_sxm, sxm
from .names import gpus_named, listed, uuids, verb
from .severity import error, note, warning

_FABRIC_FINE = (None, "completed", "not-supported")
_FABRIC_MANAGER = "nvidia-fabricmanager.service"


def nvlink_findings(case: Case) -> Iterator[Finding]:
    yield from _fabric(case)
    if not waiting_for_fabric(case):  # its links come up with the fabric
        yield from _links_down(case)
        yield from _modules_without_links(case)
        yield from _bridges_missing(case)


def waiting_for_fabric(case: Case) -> tuple[Gpu, ...]:
    """GPUs of an NVSwitch machine whose fabric was not set up."""
    waiting = tuple(gpu for gpu in case.nvidia if gpu.nvlink_fabric not in _FABRIC_FINE)
    manager = _manager(case)
    stopped = case.stable.nvswitches and manager is not None and manager.active != "active"
    return waiting or (case.nvidia if stopped else ())


def _manager(case: Case) -> UnitNow | None:
    return next((one for one in case.volatile.units if one.name == _FABRIC_MANAGER), None)


def _fabric(case: Case) -> Iterator[Finding]:
    """NVSwitch machines whose fabric was not set up: CUDA itself does not start there."""
    gpus = waiting_for_fabric(case)
    if not gpus:
        return
    states = sorted({str(gpu.nvlink_fabric) for gpu in gpus} - {str(one) for one in _FABRIC_FINE})
    seen = []
    if states:
        words = listed(one.replace("-", " ") for one in states)
        seen.append(f"the NVLink fabric of {gpus_named(case, gpus)} is {words}")
    manager = _manager(case)
    if manager is not None and manager.active != "active":
        state = "has failed" if manager.active == "failed" else f"is {manager.active}"
        seen.append(f"{_FABRIC_MANAGER} {state}")
    driver = case.driver("nvidia")
    version = driver.version if driver else None
    yield error(
        "nvlink-fabric",
        " and ".join(seen),
        "CUDA fails to start on GPUs behind an NVSwitch until the fabric is set up"
        " (error 802, system not yet initialized)",
        f"install nvidia-fabricmanager of the driver's very version{f', {version}' * bool(version)}"
        ", then systemctl enable --now nvidia-fabricmanager; journalctl -u nvidia-fabricmanager"
        " tells why it does not start",
        uuids(gpus),
    )


def _links_down(case: Case) -> Iterator[Finding]:
    """GPUs with fewer links up than their equals have, and modules with some links down."""
    short: dict[tuple[int, int], list[Gpu]] = {}
    for gpu in case.nvidia:
        up = _up(gpu)
        if gpu.mig or not up:
            continue
        most = max(_up(other) for other in case.nvidia if other.name == gpu.name)
        total = sum(1 for link in gpu.nvlinks if link.active is not None)
        if up < most or (sxm(gpu) and not old_sxm(gpu) and up < total):
            short.setdefault((up, max(most, total if sxm(gpu) else most)), []).append(gpu)
    for (up, most), gpus in sorted(short.items()):
        tell = warning if case.bare_metal else note
        yield tell(
            "nvlink-missing",
            f"{gpus_named(case, gpus)} {verb(len(gpus), 'has', 'have')} {up} of {most} NVLinks up",
            f"{up / most:.0%} of the bandwidth between the GPUs, and groups wait for the slowest",
            "nvidia-smi nvlink -s shows which, and journalctl -k -g 'Xid.* 74' their errors; reset"
            " the GPU, reseat the module or bridge",
            uuids(gpus),
        )


def _up(gpu: Gpu) -> int:
    return sum(1 for link in gpu.nvlinks if link.active)


def _without_links(case: Case, gpus: Sequence[Gpu]) -> list[Gpu]:
    """Those that are known to have no link up: told by themselves or by every pair."""
    found = []
    for gpu in gpus:
        if gpu.mig or _up(gpu):
            continue
        ends = [link.nvlinks for link in case.stable.gpu_links if gpu.uuid in (link.a, link.b)]
        told = any(link.active is False for link in gpu.nvlinks)
        if any(ends) or not (told or (ends and all(one == 0 for one in ends))):
            continue
        found.append(gpu)
    return found


def _modules_without_links(case: Case) -> Iterator[Finding]:
    modules = [gpu for gpu in case.nvidia if sxm(gpu)]
    down = _without_links(case, modules)
    if len(modules) < 2 or not down:
        return
    # A virtual machine may be given modules that its host keeps apart; old ones sit in adapters.
    by_design = not case.bare_metal or all(old_sxm(gpu) for gpu in down)
    tell = note if by_design else warning
    yield tell(
        "nvlink-missing",
        f"no NVLink of {gpus_named(case, down)} is up, although such modules are joined by NVLink",
        "the GPUs talk over PCIe, an order of magnitude slower, and tensor parallelism suffers",
        "nvidia-smi nvlink -s shows the links; look for NVreg_NvLinkDisable in /etc/modprobe.d and,"
        " behind an NVSwitch, at journalctl -u nvidia-fabricmanager",
        uuids(down),
    )


def _bridges_missing(case: Case) -> Iterator[Finding]:
    """Two or more equal cards that take a bridge and have none."""
    by_name: dict[str, list[Gpu]] = {}
    for gpu in _without_links(case, [gpu for gpu in case.nvidia if not sxm(gpu)]):
        if bridge_bandwidth(gpu) is not None:
            by_name.setdefault(gpu.name or "", []).append(gpu)
    for gpus in by_name.values():
        if len(gpus) > 1:
            yield note(
                "nvlink-missing",
                f"{gpus_named(case, gpus)} can be joined in pairs by an NVLink bridge and are not",
                f"a pair would exchange {bridge_bandwidth(gpus[0])} GB/s, both ways together,"
                " instead of what PCIe gives, which speeds up tensor parallelism over two cards",
                "fit NVLink bridges of the length that the slots need",
                uuids(gpus),
            )

"""How GPUs reach each other: sockets, peer-to-peer over PCIe, ACS and the IOMMU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...facts import Finding, Gpu, GpuLink
from ...quantity import PciAddress
from ..gpus import slot
from .case import Case
from .kinds import geforce, old_sxm, peer_to_peer, sxm
from .names import gpus_named, listed, uuids, verb
from .nvlink import waiting_for_fabric
from .severity import note, warning


def topology_findings(case: Case) -> Iterator[Finding]:
    yield from _sockets(case)
    yield from _peer_to_peer(case)
    yield from _acs(case)
    yield from _iommu(case)


def _sockets(case: Case) -> Iterator[Finding]:
    """GPUs on several sockets, unless NVLink joins every pair across, or was made to."""
    places: dict[int, list[Gpu]] = {}
    for gpu in case.nvidia:
        place = _place(case, gpu)
        # Slices do not work together; of modules without their NVLinks nvlink-missing tells.
        if place is not None and not gpu.mig and not (sxm(gpu) and not old_sxm(gpu)):
            places.setdefault(place, []).append(gpu)
    if len(places) < 2:
        return
    side = {gpu.uuid: place for place, gpus in places.items() for gpu in gpus}
    links = [one for one in case.stable.gpu_links if one.a in side and one.b in side]
    across = [one for one in links if side[one.a] != side[one.b]]
    if across and all(one.nvlinks for one in across):
        return
    word = "socket" if case.stable.cpu.packages else "NUMA node"
    yield note(
        "gpus-span-sockets",
        listed(
            f"{gpus_named(case, gpus)} {verb(len(gpus), 'is', 'are')} on {word} {place}"
            for place, gpus in sorted(places.items())
        ),
        f"a model that is spread over {word}s sends the partial sums of every token through the"
        f" link between them, {_why_not_nvlink(links, across, word)}",
        f"keep each instance within one {word}; provision plan does",
        uuids(gpu for _, gpus in sorted(places.items()) for gpu in gpus),
    )


def _why_not_nvlink(links: Sequence[GpuLink], across: Sequence[GpuLink], word: str) -> str:
    if any(one.nvlinks for one in across):
        return "but for the cards that NVLink joins"
    if any(one.nvlinks for one in links):
        return f"since NVLink joins cards of one {word} only"
    return "since no NVLink joins them"


def _place(case: Case, gpu: Gpu) -> int | None:
    """The number of a GPU's socket, or its node where sockets are not told."""
    if gpu.numa_node is None:
        return None
    if not case.stable.cpu.packages:
        return gpu.numa_node
    node = next((one for one in case.stable.numa_nodes if one.id == gpu.numa_node), None)
    if node is None or not node.cpus:
        return None
    for number, cpus in enumerate(case.stable.cpu.packages):
        if node.cpus <= cpus:
            return number
    return None


def _peer_to_peer(case: Case) -> Iterator[Finding]:
    """Pairs of equal cards whose driver allows peer-to-peer, and it does not work.

    GeForce cards answer GNS for every pair without NVLink: the driver refuses it (nccl#1127), so
    nothing is wrong. Far pairs (NODE, SYS) may be refused by the chipset for good.
    """
    groups: dict[str, list[tuple[Gpu, Gpu]]] = {}
    waiting = waiting_for_fabric(case)
    for link, a, b in case.pairs():
        if link.p2p is not False or a.name != b.name or a in waiting:
            continue
        bridged = bool(link.nvlinks)
        near = link.path in ("PIX", "PXB", "PHB")
        able = peer_to_peer(a) and not geforce(a) and case.bare_metal
        if bridged or (able and near) or link.p2p_status == "DR":
            groups.setdefault(link.p2p_status or "not OK", []).append((a, b))
    for status, pairs in sorted(groups.items()):
        gpus = _members(pairs)
        off = status == "DR"
        yield warning(
            "p2p-off",
            f"peer-to-peer does not work between {len(pairs)} {verb(len(pairs), 'pair', 'pairs')}"
            f" of {gpus_named(case, gpus)} (status {status})",
            "data between them goes through host memory, with about half the bandwidth and more"
            " latency for tensor parallelism",
            "a setting of the driver switches it off: look for NVreg_RegistryDwords in"
            " /etc/modprobe.d"
            if off
            else "likely PCIe ACS or the IOMMU: turn ACS off in the firmware, boot with iommu=pt;"
            " nvidia-smi topo -p2p r shows the pairs",
            uuids(gpus),
        )


def _members(pairs: Sequence[tuple[Gpu, Gpu]]) -> list[Gpu]:
    there = {gpu.uuid: gpu for pair in pairs for gpu in pair}
    return sorted(there.values(), key=lambda gpu: gpu.index)


def _acs(case: Case) -> Iterator[Finding]:
    """Switches that send traffic between two GPUs below them up to the root and back."""
    if case.stable.system.virtual_machine is not None:
        return
    redirected = {
        frozenset((slot(path.a), slot(path.b)))
        for path in case.stable.pci_paths
        if path.acs_redirect and path.path in ("PIX", "PXB")
    }
    slow = [
        (a, b)
        for link, a, b in case.pairs()
        if frozenset((slot(a.address), slot(b.address))) in redirected
        and not link.nvlinks
        and not (geforce(a) and link.p2p is False)
    ]
    if not slow:
        return
    gpus = _members(slow)
    ports = [str(one) for one in sorted({port for a, b in slow for port in _turns(case, a, b)})]
    off = f"for port in {' '.join(ports)}; do setpci -s $port ECAP_ACS+6.w=0; done"
    yield warning(
        "acs-redirect",
        f"PCIe ACS redirects traffic between {gpus_named(case, gpus)} up to the root"
        + (f" (switch {verb(len(ports), 'port', 'ports')} {listed(ports)})" if ports else ""),
        "peer-to-peer takes the way to the CPU and back, at half the bandwidth, and NCCL may hang"
        " or compute wrong values under an IOMMU",
        "where no GPU is given to virtual machines, turn ACS off in the firmware"
        + (f", or run at each boot: {off}" if ports else ""),
        (*uuids(gpus), *ports),
    )


def _turns(case: Case, a: Gpu, b: Gpu) -> list[PciAddress]:
    """The redirecting switch ports at which the way between two GPUs turns round.

    They are the first below what both ways share. What stands higher up, the root port above all,
    such traffic would not reach.
    """
    ways = {slot(one.address): one.bridges for one in case.stable.accelerators}
    one, other = ways.get(slot(a.address), ()), ways.get(slot(b.address), ())
    shared = next(
        (at for at, ends in enumerate(zip(one, other, strict=False)) if ends[0] != ends[1]),
        min(len(one), len(other)),
    )
    turns = [way[shared] for way in (one, other) if len(way) > shared]
    return [port for port in turns if (bridge := case.bridges.get(port)) and bridge.acs_redirect]


def _iommu(case: Case) -> Iterator[Finding]:
    """Addresses translated by the IOMMU, where GPUs would talk to each other over PCIe."""
    if not case.bare_metal or case.stable.kernel.iommu != "translated":
        return
    over_pcie = [(a, b) for link, a, b in case.pairs() if _over_pcie(link, a)]
    if not over_pcie:
        return
    gpus = _members(over_pcie)
    arm = case.stable.system.architecture == "aarch64"
    parameter = "iommu.passthrough=1" if arm else "iommu=pt"
    yield note(
        "iommu-translated",
        f"the IOMMU translates the addresses of {gpus_named(case, gpus)}",
        "peer-to-peer over PCIe is slower, and on some boards NCCL hangs or gets wrong data",
        f"add {parameter} to the kernel's command line and reboot: devices of this host pass"
        " through, those of virtual machines stay apart",
        uuids(gpus),
    )


def _over_pcie(link: GpuLink, gpu: Gpu) -> bool:
    if link.nvlinks or link.p2p is False or (sxm(gpu) and not old_sxm(gpu)):
        return False
    return link.p2p is True or not geforce(gpu)

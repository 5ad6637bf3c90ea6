"""The host's GPUs as a plan sees them: which may be used, how near they are, what they hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from provision.host.facts import Facts, Gpu, GpuLink
from provision.host.quantity import PciAddress
from provision.spec.model import GpuSelector

from .slices import is_slice, share_of, slices_of
from .vendors import is_own

# The nearest first; an unknown path counts as the farthest.
_PATHS = {"PIX": 0, "PXB": 1, "PHB": 2, "NODE": 3, "SYS": 4}
_FARTHEST = 4
_MOST_RESERVED = 512  # MiB that a driver is taken to keep where it does not say


@dataclass(frozen=True, slots=True)
class GpuTable:
    """GPUs in PCI order, and how each pair is joined. missing: why cards are not among them.

    slices: MIG slices, each as a GPU. others_mib: memory that programs of others hold, by UUID.
    shared_mib: of the host's memory that models may take, on the CPU or on GPUs that have none of
    their own. reserved: UUIDs that
    the owner keeps for something else.
    """

    gpus: tuple[Gpu, ...]
    links: Mapping[tuple[str, str], GpuLink]
    missing: str | None = None
    slices: tuple[Gpu, ...] = ()
    others_mib: Mapping[str, int] = field(default_factory=dict)
    shared_mib: int | None = None
    reserved: frozenset[str] = frozenset()

    def link(self, a: Gpu, b: Gpu) -> GpuLink | None:
        return self.links.get(_pair(a.uuid, b.uuid))

    def named(self, word: str) -> Gpu | None:
        """The GPU or slice of this UUID, or the GPU at this PCI address."""
        every = (*self.gpus, *self.slices)
        by_uuid = next((gpu for gpu in every if gpu.uuid.lower() == word.lower()), None)
        if by_uuid is not None:
            return by_uuid
        try:
            address = PciAddress.parse(word)
        except ValueError:
            return None
        return next((gpu for gpu in self.gpus if gpu.address == address), None)

    def usable(self) -> tuple[Gpu, ...]:
        """Those that an instance may get: whole cards and slices, in PCI order."""
        free = [gpu for gpu in self.gpus if self.unusable(gpu) is None]
        free += [one for one in self.slices if one.uuid not in self.reserved]
        return tuple(sorted(free, key=lambda gpu: (gpu.address, gpu.uuid)))

    def unusable(self, gpu: Gpu) -> str | None:
        """Why no instance may get it, None when one may."""
        if gpu.uuid in self.reserved:
            return "it is reserved (reserved_gpus)"
        return unusable(gpu)

    def total(self, gpu: Gpu) -> int | None:
        """MiB that CUDA shows: without what the driver keeps for itself."""
        if gpu.memory_mib is None:
            return self.shared_mib if gpu.integrated else None
        return gpu.memory_mib - _reserved(gpu)

    def room(self, gpu: Gpu) -> int | None:
        """MiB that our instances may take, without what programs of others hold now."""
        total = self.total(gpu)
        return None if total is None else max(0, total - self.others_mib.get(gpu.uuid, 0))

    def share(self, gpu: Gpu) -> float:
        """Part of a card that it is: 1, or less for a slice."""
        card = next((one for one in self.gpus if one.address == gpu.address), None)
        return share_of(gpu, card)


def table_of(facts: Facts, reserved: Collection[str] = (), freed: Collection[str] = ()) -> GpuTable:
    """The table of a host. PCI order, since an index is valid for this boot only.

    reserved: UUIDs that are left alone. freed: units that apply stops, whose memory comes back.
    """
    ordered = tuple(sorted(facts.stable.gpus, key=lambda gpu: (gpu.address, gpu.uuid)))
    redirected = _redirected(facts)
    links = {
        _pair(link.a, link.b): _without_peers(link, redirected) for link in facts.stable.gpu_links
    }
    others: dict[str, int] = {}
    for one in facts.volatile.gpu_processes:
        if not is_own(one.unit) and one.unit not in freed and one.memory_mib is not None:
            others[one.gpu] = others.get(one.gpu, 0) + one.memory_mib
    return GpuTable(
        ordered,
        links,
        _missing(facts),
        tuple(one for gpu in ordered for one in slices_of(gpu)),
        others,
        _shared_memory(facts),
        frozenset(reserved),
    )


def _redirected(facts: Facts) -> frozenset[str]:
    """GPUs below a port whose ACS sends their traffic to each other up to the root."""
    ports = {one.address for one in facts.stable.bridges if one.acs_redirect}
    below = {one.address for one in facts.stable.accelerators if ports & set(one.bridges)}
    return frozenset(gpu.uuid for gpu in facts.stable.gpus if gpu.address in below)


def _without_peers(link: GpuLink, redirected: Collection[str]) -> GpuLink:
    """Peer access that ACS redirects is not counted on: it is slow, and some boards hang."""
    if link.nvlinks or link.xgmi or not {link.a, link.b} & set(redirected):
        return link
    return replace(link, p2p=False)


def _reserved(gpu: Gpu) -> int:
    """MiB that the driver keeps. Before NVML 11.5 it does not say; cards of 24 GiB then lack 400
    to 500 MiB for programs, and slices and AMD's cards nothing."""
    if gpu.memory_reserved_mib is not None or gpu.memory_mib is None:
        return gpu.memory_reserved_mib or 0
    if gpu.vendor != "nvidia" or is_slice(gpu):
        return 0
    return min(gpu.memory_mib // 50, _MOST_RESERVED)


def _shared_memory(facts: Facts) -> int | None:
    """Three quarters of the host's memory: for models in RAM, and for GPUs without their own
    (GB10, Tegra)."""
    known = [node.memory_mib for node in facts.stable.numa_nodes if node.memory_mib is not None]
    return sum(known) * 3 // 4 if known else None


def _missing(facts: Facts) -> str | None:
    """What the PCI bus holds but no driver serves, in the driver's own words."""
    served = {gpu.address for gpu in facts.stable.gpus}
    lost = [card for card in facts.stable.accelerators if card.address not in served]
    lost = [card for card in lost if card.vendor in ("nvidia", "amd") and not card.integrated]
    if not lost:
        return None
    problems = [f"{one.vendor}: {one.problem}" for one in facts.stable.drivers if one.problem]
    where = ", ".join(str(card.address) for card in lost)
    why = "; ".join(problems) or f"kernel driver: {lost[0].driver or 'none'}"
    return f"the PCI bus has {len(lost)} more at {where} that no driver serves ({why})"


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a <= b else (b, a)


def unusable(gpu: Gpu) -> str | None:
    """Why an engine can not take this GPU as a whole, None when it can."""
    if gpu.integrated and gpu.vendor != "nvidia":
        return "it is part of the CPU and has no memory of its own"
    if gpu.vendor == "intel":
        return "Intel GPUs are not supported yet"
    if gpu.compute_mode == "prohibited":
        return "its compute mode is prohibited (`nvidia-smi -c 0`)"
    if gpu.mig and not gpu.mig_devices:
        return "it is in MIG mode without any slice (`nvidia-smi mig -cgi ... -C` makes some)"
    if gpu.mig:
        return "it is in MIG mode: its slices are used one by one"
    return None


def matches(gpu: Gpu, selector: GpuSelector) -> bool:
    """Whether a GPU is what `{model: , node: }` asks for."""
    if selector.model is not None and selector.model.lower() not in (gpu.name or "").lower():
        return False
    return selector.node is None or gpu.numa_node == selector.node


def alike(gpus: Collection[Gpu]) -> bool:
    """Whether cards are of one kind: tensor parallel splits every layer evenly among them.

    Within 2 % of memory counts as the same (ECC, reserved memory).
    """
    names = {gpu.name for gpu in gpus}
    sizes = [gpu.memory_mib for gpu in gpus if gpu.memory_mib is not None]
    return len(names) <= 1 and (not sizes or min(sizes) >= 0.98 * max(sizes))


def nvlinks(table: GpuTable, a: Gpu, b: Gpu) -> int:
    """NVLinks between two GPUs; 0 also when nothing is known."""
    link = table.link(a, b)
    return (link.nvlinks or link.xgmi or 0) if link else 0


def path_rank(table: GpuTable, a: Gpu, b: Gpu) -> int:
    """0 (one PCIe switch) to 4 (across sockets, or unknown)."""
    link = table.link(a, b)
    return _PATHS.get(link.path or "", _FARTHEST) if link else _FARTHEST

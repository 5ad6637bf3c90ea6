"""Short names of devices: `GPU 0`, `mlx5_0`; the same in the tree, the matrix and the picture."""

from __future__ import annotations

from collections.abc import Iterator

from provision.host.facts import Facts, Gpu, Nic, PciDevice, PcieLink
from provision.host.quantity import CpuSet, PciAddress

_GENERATION = {2.5: 1, 5.0: 2, 8.0: 3, 16.0: 4, 32.0: 5, 64.0: 6, 128.0: 7}
_MAKERS = {"nvidia": "NVIDIA", "amd": "AMD", "intel": "Intel"}
_ORDINAL = {2: "nd", 3: "rd"}
Slot = tuple[int, int, int]


def slot(address: PciAddress) -> Slot:
    """An address without its function: drivers name a card as a whole."""
    return (address.domain, address.bus, address.device)


def gpu_labels(facts: Facts) -> dict[str, str]:
    """UUID -> `GPU 0`; with several makers on one host `NVIDIA 0`, `AMD 0`."""
    gpus = facts.stable.gpus
    mixed = len({gpu.vendor for gpu in gpus}) > 1
    return {gpu.uuid: f"{_MAKERS[gpu.vendor] if mixed else 'GPU'} {gpu.index}" for gpu in gpus}


def gpu_name(gpu: Gpu) -> str:
    """The product's name as people say it: without maker and brand."""
    name = gpu.name or _MAKERS[gpu.vendor]
    for word in ("NVIDIA ", "GeForce ", "AMD ", "Intel "):
        name = name.removeprefix(word)
    return name


def shown_nics(facts: Facts) -> tuple[Nic, ...]:
    """The network cards that somebody can use: those with an interface or an RDMA name."""
    return tuple(nic for nic in facts.stable.nics if nic.interfaces or nic.rdma)


def nic_labels(facts: Facts) -> dict[PciAddress, str]:
    """Address -> RDMA name, else interface: the names that NCCL and people use."""
    return {nic.address: (*nic.rdma, *nic.interfaces)[0] for nic in shown_nics(facts)}


def unserved(facts: Facts) -> tuple[PciDevice, ...]:
    """Accelerators on the bus that no driver serves as a GPU, without those inside the CPU."""
    served = {slot(gpu.address) for gpu in facts.stable.gpus}
    return tuple(
        one
        for one in facts.stable.accelerators
        if slot(one.address) not in served and not one.integrated
    )


def pcie_generation(speed: float | None) -> int | None:
    """The PCIe generation of a speed in GT/s."""
    return None if speed is None else _GENERATION.get(speed)


def link_text(link: PcieLink | None, port: PcieLink | None = None) -> str:
    """`x16 gen 4`, `x4 of x16 gen 3`: lanes in use, and the best generation that both ends do."""
    return " ".join(_link_words(link, port)) if link else ""


def device_link(facts: Facts, device: PciDevice | Nic) -> str:
    """The link of a card to its slot, with the best that card and slot both do.

    AMD's and Intel's discrete GPUs sit behind a switch on the card: the GPU reports the inner link,
    and the switch's upstream port the one to the slot.
    """
    ports = {bridge.address: bridge for bridge in facts.stable.bridges}
    link, above = device.link, device.bridges
    inner = ports.get(above[-2]) if len(above) > 2 else None
    if inner and inner.kind == "upstream" and inner.vendor_id == device.vendor_id:
        link, above = inner.link, above[:-2]
    port = ports.get(above[-1]) if above else None
    return link_text(link, port.link if port else None)


def _link_words(link: PcieLink, port: PcieLink | None) -> Iterator[str]:
    if link.width is not None:
        yield f"x{link.width}"
        if link.width_max is not None and link.width < link.width_max:
            yield f"of x{link.width_max}"
    speeds = [one.speed_max for one in (link, port) if one and one.speed_max is not None]
    generation = pcie_generation(min(speeds, default=None))
    if generation is not None:
        yield f"gen {generation}"


def cpus_text(cpus: CpuSet) -> str:
    """A list of CPUs; `0-126 (every 2nd)` where the firmware deals them out in turn."""
    ids = list(cpus)
    if len(ids) > 4:
        step = ids[1] - ids[0]
        if step > 1 and ids == list(range(ids[0], ids[-1] + 1, step)):
            return f"{ids[0]}-{ids[-1]} (every {step}{_ORDINAL.get(step, 'th')})"
    return str(cpus)


def gib(mib: int | None) -> str:
    """MiB as people read memory: `24 GiB`, `1.5 GiB`, `512 MiB`; unknown is empty."""
    if mib is None:
        return ""
    if mib < 1024:
        return f"{mib} MiB"
    value = mib / 1024
    return f"{value:.0f} GiB" if value >= 10 or value == int(value) else f"{value:.1f} GiB"

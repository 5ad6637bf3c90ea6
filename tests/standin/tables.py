"""Tables of GPUs for the NVML stand-in (their format: head of nvml.c)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .models import MODELS, Model

PIX, PXB, PHB, NODE, SYS = 10, 20, 30, 40, 50  # nvmlGpuTopologyLevel_t

Pairs = Mapping[tuple[int, int], int]  # by numbers of GPUs in the table, the smaller first


@dataclass(frozen=True)
class Slice:
    """A MIG device: `1g.10gb` on GPU instance 7. slot: NVML's index of it, with holes allowed."""

    gpu: int
    profile: str
    memory_mib: int
    gi: int
    ci: int = 0
    slot: int | None = None  # None: the next one


def uuid_of(bus: str) -> str:
    """A UUID that is always the same for a PCI address."""
    return f"GPU-{_hex(bus.lower())}"


def mig_uuid_of(bus: str, gi: int, ci: int = 0) -> str:
    """A slice's UUID, of its GPU's address and its instances."""
    return f"MIG-{_hex(f'{bus.lower()}/{gi}/{ci}')}"


def _hex(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return "-".join((digest[0:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


def table_text(
    gpus: Sequence[str],
    model: str | Sequence[str] = "h100",
    *,
    nodes: Sequence[int] | None = None,
    near: int = NODE,
    ancestors: Pairs | None = None,
    nvlinks: Pairs | None = None,
    switch_links: int | Sequence[int] = 0,
    switches: Sequence[str] = (),
    fabric_state: int | None = None,
    p2p: int = 0,
    p2p_pairs: Pairs | None = None,
    cpus: Sequence[str | None] = (),
    memory_nodes: Sequence[int | None] = (),
    node_lists: Sequence[str | None] = (),
    slices: Sequence[Slice] = (),
    values: Mapping[int, Mapping[str, object]] | None = None,
    errors: Sequence[tuple[str, int | None, int]] = (),
    version: str = "580.95.05",
    cuda: int = 13000,
    more: Sequence[str] = (),
) -> str:
    """The table of a machine whose GPUs sit at these PCI addresses (`0000:17:00.0`).

    gpus:          in NVML's order of indices, which need not be that of the addresses.
    model:         a key of MODELS for all, or one for each.
    nodes:         the NUMA node of each GPU: pairs on one node are `near`, others SYS. Without it
                   all pairs are near. ancestors tells single pairs otherwise (PIX ... SYS).
    nvlinks:       direct links by pairs.
    switch_links:  links of each GPU to the NVSwitch fabric, for all or one for each.
    switches:      the switches' PCI addresses; `FFFFFFFF:FF:FF.0` for those not on this host.
    fabric_state:  0..3 of all; without it 3 (completed) where a model needs a fabric manager and
                   has links to switches, 0 on other models that know the question.
    p2p:           nvmlGpuP2PStatus_t of reads where NVLink does not join a pair (2: GNS, as GeForce
                   says); p2p_pairs tells single pairs otherwise.
    cpus:          CPU affinity of each GPU (`0-15,32-47`); node_lists: its memory affinity
                   (`0,3-9`); memory_nodes: its own memory as a node (Grace). None: not told.
    slices:        MIG devices; the model must be one with MIG on, such as h100-mig.
    values:        by GPU, keys of the gpu line to set otherwise; None takes a key away.
    errors:        (call, GPU or None for all, nvmlReturn_t): calls that fail.
    more:          further lines, words between tabs: processes, lost, hang, crash, nvlink, scan.
    """
    kinds = (
        [MODELS[model]] * len(gpus) if isinstance(model, str) else [MODELS[one] for one in model]
    )
    switched = [switch_links] * len(gpus) if isinstance(switch_links, int) else list(switch_links)
    lines = ["# made by tests/standin/build.py", line("driver", version=version, cuda=cuda)]
    for at, (bus, kind) in enumerate(zip(gpus, kinds, strict=True)):
        pairs = _gpu_pairs(at, bus, kind)
        pairs["fabric_state"] = (
            _fabric(kind, bool(switched[at])) if fabric_state is None else (fabric_state)
        )
        for key, told in (("cpus", cpus), ("nodes", node_lists), ("memory_node", memory_nodes)):
            pairs[key] = told[at] if told else None
        pairs.update((values or {}).get(at, {}))
        lines.append(line("gpu", **pairs))
    where = list(nodes) if nodes is not None else [0] * len(gpus)
    for a in range(len(gpus)):
        for b in range(a + 1, len(gpus)):
            ancestor = near if where[a] == where[b] else SYS
            count = (nvlinks or {}).get((a, b), 0)
            status = 0 if count or (switched[a] and switched[b]) else p2p
            lines.append(
                line(
                    "link",
                    a=a,
                    b=b,
                    ancestor=(ancestors or {}).get((a, b), ancestor),
                    p2p=(p2p_pairs or {}).get((a, b), status),
                    nvlinks=count,
                )
            )
    for at, count in enumerate(switched):
        if count:
            lines.append(line("switch", gpu=at, links=count, buses=",".join(switches) or None))
    lines += _slice_lines(gpus, kinds, slices)
    lines += [
        line("error", call=call, gpu="*" if gpu is None else gpu, code=code)
        for call, gpu, code in errors
    ]
    return "\n".join([*lines, *more]) + "\n"


def line(word: str, **pairs: object) -> str:
    """A line of the table; keys whose value is None are left out."""
    told = (f"{key}={value}" for key, value in pairs.items() if value is not None)
    return "\t".join([word, *told])


def _fabric(model: Model, switched: bool) -> int | None:
    if model.fabric and switched:
        return 3
    return 0 if model.serial else None


def _gpu_pairs(at: int, bus: str, model: Model) -> dict[str, object]:
    generation, lanes = model.pcie
    power = [None] * 3 if model.power is None else [watts * 1000 for watts in model.power]
    return {
        "uuid": uuid_of(bus),
        "bus": bus,
        "name": model.name,
        "memory_mib": model.memory_mib,
        "used_mib": 4,
        "reserved_mib": model.reserved_mib,
        "capability": model.capability,
        "minor": at,
        "pci_id": model.pci_id,
        "vbios": "96.00.89.00.01",
        "serial": f"165052300{at:04d}" if model.serial else None,
        "persistence": 0,
        "compute_mode": 0,
        "power_min": power[0],
        "power_max": power[1],
        "power_default": power[2],
        "power_draw": 31250,
        "temperature": 34,
        "utilization": None if model.mig_on else 0,
        "clock_sm": 210,
        "clock_sm_max": model.clocks[0],
        "clock_memory": model.clocks[1] or None,
        "throttle": "0x1",
        "pcie_generation": 1,
        "pcie_generation_max": generation,
        "pcie_generation_card": generation,
        "pcie_width": lanes,
        "pcie_width_max": lanes,
        "mig": int(model.mig_on) if model.mig else None,
        "ecc": None if model.ecc is None else int(model.ecc),
        "ecc_errors": 0 if model.ecc else None,
        "ecc_errors_total": 0 if model.ecc else None,
        "remapped": 0 if model.remaps else None,
        "retired_pending": 0 if model.retires else None,
        "recovery_action": 0,
        "addressing": model.addressing,
        "nvlink_slots": model.link_slots or None,
        "nvlink_version": model.link_version or None,
    }


def _slice_lines(gpus: Sequence[str], kinds: Sequence[Model], slices: Sequence[Slice]) -> list[str]:
    taken: dict[int, int] = {}
    lines: list[str] = []
    for one in slices:
        slot = taken.get(one.gpu, 0) if one.slot is None else one.slot
        taken[one.gpu] = slot + 1
        lines.append(
            line(
                "mig",
                gpu=one.gpu,
                slot=slot,
                uuid=mig_uuid_of(gpus[one.gpu], one.gi, one.ci),
                name=f"{kinds[one.gpu].name} MIG {one.profile}",
                memory_mib=one.memory_mib,
                gi=one.gi,
                ci=one.ci,
            )
        )
    return lines

"""nvidia-smi asked with all its verbs, and their answers put together."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from ....quantity import CpuSet, PciAddress
from ...source import Source
from ..answers import NvmlAnswers, NvmlGpu, NvmlPair
from .details import Details, parse_details
from .listing import Listed, parse_listing
from .matrix import Matrix, parse_matrix
from .nvlink import parse_links, parse_remotes, with_remotes
from .table import FULL, SHORT, parse_table, without_refused

_FIRST_TIMEOUT = 60.0  # without persistence each GPU is set up first, a second or two each
_TIMEOUT = 30.0
_MOST_REFUSALS = 30  # an R418 knows 14 of the fields not
_DEAD = re.compile(r"NVIDIA-SMI has failed|Failed to initialize NVML|couldn't communicate", re.I)
_NO_HANDLE = re.compile(
    r"Unable to determine the device handle for gpu\s*(?:(\d{1,3})(?=:|\s|$):?)?\s*"
    r"([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])?:?[ \t]*([^\n]{0,120})",
    re.I | re.ASCII,
)
_ANCESTOR = {  # nvmlGpuTopologyLevel_t; SOC and PSB are older drivers' words
    "PSB": 0,
    "PIX": 10,
    "PXB": 20,
    "PHB": 30,
    "NODE": 40,
    "SYS": 50,
    "SOC": 50,
}
_P2P = {"OK": 0, "CNS": 1, "GNS": 2, "TNS": 3, "DR": 4, "NS": 5, "U": 6}  # nvmlGpuP2PStatus_t


def ask_nvidia_smi(source: Source) -> NvmlAnswers | None:
    """What nvidia-smi tells, in NVML's units; None without the program or a driver behind it."""
    program = source.which("nvidia-smi")
    if program is None:
        return None
    smi = _Smi(source, program)
    text = smi.said("-q", timeout=_FIRST_TIMEOUT)
    if smi.dead:
        return None
    listed = parse_listing(smi.said("-L")) if "MIG Device" in text else ()
    details = parse_details(text, {one.uuid: one.slices for one in listed})
    table = smi.table(SHORT if details.gpus else FULL)
    if 0 < len(details.gpus) < len(table.gpus):
        table = smi.table(FULL)  # -q ended at a lost GPU, the table goes on behind it
    gpus = _joined(details, table)
    if not gpus and not smi.dead:
        gpus = tuple(_listed(one) for one in listed or parse_listing(smi.said("-L")))
    lost = (*_without_handle(smi.all_said), *details.lost)
    if not gpus:
        return NvmlAnswers(lost=lost) if lost else None
    matrix = parse_matrix(smi.said("topo", "-m"))
    p2p = parse_matrix(smi.said("topo", "-p2p", "r")) if len(gpus) > 1 else Matrix()
    pairs = read_pairs(matrix, p2p)
    gpus = tuple(_placed(gpu, matrix) for gpu in gpus)
    return NvmlAnswers(
        version=details.version or table.version,
        cuda=details.cuda,
        gpus=tuple(sorted(smi.linked(gpus, pairs), key=lambda gpu: gpu.index)),
        pairs=pairs,
        lost=lost,
    )


@dataclasses.dataclass(slots=True)
class _Smi:
    """One host's nvidia-smi; dead: it hangs or has no driver, and is not asked again."""

    source: Source
    program: str
    dead: bool = False
    all_said: str = ""  # for sentences about lost GPUs, which come before or among the answers

    def said(self, *words: str, timeout: float = _TIMEOUT) -> str:
        """What a call prints, whatever its exit code: one lost GPU makes it a failure."""
        if self.dead:
            return ""
        ran = self.source.run([self.program, *words], timeout=timeout)
        self.dead = ran.code in (124, 126, 127) or (not ran.ok and bool(_DEAD.search(ran.said)))
        self.all_said += "".join(
            f"{line}\n" for line in ran.said.splitlines() if "device handle" in line
        )
        return ran.out if ran.out.strip() or ran.ok else ran.err

    def table(self, fields: tuple[str, ...]) -> NvmlAnswers:
        """The table of those of the fields that this nvidia-smi knows."""
        for _ in range(_MOST_REFUSALS):
            text = self.said(f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits")
            kept = without_refused(fields, text)
            if not kept:
                return parse_table(text, fields)
            fields = kept
        return NvmlAnswers()

    def linked(self, gpus: tuple[NvmlGpu, ...], pairs: Iterable[NvmlPair]) -> list[NvmlGpu]:
        """The GPUs with their NVLinks; where these end is asked only where one is up."""
        links = parse_links(self.said("nvlink", "-s"))
        if any(link.active for own in links.values() for link in own):
            remotes = parse_remotes(self.said("nvlink", "-R"))
            peers: Counter[int] = Counter()
            for pair in pairs:
                peers[pair.a] += pair.nvlinks or 0
                peers[pair.b] += pair.nvlinks or 0
            buses = frozenset(gpu.bus.lower() for gpu in gpus if gpu.bus)
            links = with_remotes(links, remotes, buses, peers)
        return [dataclasses.replace(gpu, links=links.get(gpu.index, gpu.links)) for gpu in gpus]


def _joined(details: Details, table: NvmlAnswers) -> tuple[NvmlGpu, ...]:
    """The GPUs of both; the table alone tells the index, which skips a GPU that was lost."""
    rest = {_bus(gpu): gpu for gpu in table.gpus}
    known = tuple(_filled(gpu, rest.pop(_bus(gpu), None)) for gpu in details.gpus)
    return (*known, *rest.values())


def _filled(gpu: NvmlGpu, other: NvmlGpu | None) -> NvmlGpu:
    """A GPU's answers with those of another text where it has none."""
    if other is None:
        return gpu
    missing = {
        field.name: getattr(other, field.name)
        for field in dataclasses.fields(gpu)
        if getattr(gpu, field.name) is None
    }
    return dataclasses.replace(gpu, **{**missing, "index": other.index})


def _bus(gpu: NvmlGpu) -> PciAddress | str | None:
    try:
        return PciAddress.parse(gpu.bus or "")
    except ValueError:
        return gpu.uuid


def _listed(one: Listed) -> NvmlGpu:
    return NvmlGpu(one.index, one.uuid, None, name=one.name)


def _without_handle(text: str) -> tuple[str, ...]:
    """One sentence for each GPU that nvidia-smi could not open; each call names it anew."""
    found: dict[str, str] = {}
    for match in _NO_HANDLE.finditer(text):
        index, why = match[1], match[3].strip().rstrip(".") or "Unknown Error"
        bus = str(PciAddress.parse(match[2])) if match[2] else None
        if index is None and bus is None:
            continue
        place = f"{index} ({bus})" if index and bus else index or bus
        found.setdefault(bus or f"GPU {index}", f"GPU {place}: {why}")
    return tuple(found[key] for key in sorted(found))


def _placed(gpu: NvmlGpu, matrix: Matrix) -> NvmlGpu:
    """A GPU with its affinities out of the matrix."""
    if gpu.index not in matrix.gpus:
        return gpu
    at = matrix.gpus.index(gpu.index)
    cpus, nodes, own = (
        _set(column[at]) if column else None
        for column in (matrix.cpu_affinity, matrix.numa_affinity, matrix.gpu_numa_id)
    )
    return dataclasses.replace(
        gpu,
        cpu_affinity=cpus,
        node_affinity=nodes,
        memory_node=next(iter(own)) if own and len(own) == 1 else None,
    )


def _set(cell: str | None) -> CpuSet | None:
    """A list of the matrix; empty or N/A tells nothing."""
    try:
        return CpuSet.parse(cell) if cell else None
    except ValueError:
        return None


def read_pairs(matrix: Matrix, p2p: Matrix) -> tuple[NvmlPair, ...]:
    """How each two GPUs are joined. NV# hides the PCIe path: the ancestor is not told then."""
    ways, reads = _by_pair(matrix), _by_pair(p2p)
    pairs: list[NvmlPair] = []
    for a, b in sorted(ways.keys() | reads.keys()):
        way = ways.get((a, b)) or ""
        bonded = re.fullmatch(r"NV(\d{1,3})", way, re.ASCII)
        ancestor = _ANCESTOR.get(way)
        pairs.append(
            NvmlPair(
                a,
                b,
                ancestor=ancestor,
                p2p=_P2P.get(reads.get((a, b)) or ""),
                nvlinks=int(bonded[1]) if bonded else None if ancestor is None else 0,
            )
        )
    return tuple(pairs)


def _by_pair(matrix: Matrix) -> Mapping[tuple[int, int], str | None]:
    return {
        (a, b): matrix.cells[i][j]
        for i, a in enumerate(matrix.gpus)
        for j, b in enumerate(matrix.gpus)
        if a < b
    }

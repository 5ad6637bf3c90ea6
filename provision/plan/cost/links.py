"""What joins a group of GPUs, as the cost model and the ranking see it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from provision.host.facts import Gpu

from ..machine.gpus import GpuTable
from .nvlink import nvlink_gbs, xgmi_gbs
from .pcie import Lanes, lanes_of, peer_access

LinkClass = Literal["nvlink", "xgmi", "pcie-switch", "pcie", "socket", "none"]

_FARNESS: dict[LinkClass, int] = {
    "none": 0, "nvlink": 1, "xgmi": 2, "pcie-switch": 3, "pcie": 4, "socket": 5
}  # fmt: skip
_BY_PATH: dict[str, LinkClass] = {
    "PIX": "pcie-switch", "PXB": "pcie-switch", "PHB": "pcie", "NODE": "pcie", "SYS": "socket"
}  # fmt: skip

# Of the nominal rate, what large all-reduces reach: nccl-tests gives about 235 of 300 GB/s on
# 8 x A100 and 360 of 450 on 8 x H100.
_USABLE = 0.8
_ACROSS_SOCKETS = 0.6
_THROUGH_HOST = 0.5  # written to the host's memory by one card, read from there by the other
# Cards that meet in a root complex share it: 35 GB/s with 4 and 28 with 8 RTX 5090
# (github.com/NVIDIA/nccl/issues/1639).
_SHARED_ROOT = 1 / 3

# Microseconds of one small all-reduce: base + a GPU. PCIe: A100 x 2/4/8 and A10G x 2/4/8 of
# mlc-ai/llm-perf-bench; switch: 20 us for 4 x V100 (github.com/haohervchb/sglang-V100/pull/2);
# NVLink: vLLM's own benchmark, Llama 70B tensor 4 on H200. docs/explanation/speed.md has the rows.
_LATENCY: dict[LinkClass, tuple[float, float]] = {
    "none": (0.0, 0.0),
    "nvlink": (6.0, 2.0),
    "xgmi": (8.0, 2.5),
    "pcie-switch": (12.0, 2.5),
    "pcie": (25.0, 5.0),
    "socket": (35.0, 5.0),
}
_HOST_LATENCY = 25.0  # more where data goes through the host's memory


@dataclass(frozen=True, slots=True)
class Joint:
    """The worst link of a group, which every all-reduce waits for.

    kind none: one GPU alone. gbs: usable bandwidth of one direction in 10^9 bytes a second, with
    the narrowest PCIe link that is on the way. latency_us: of one small all-reduce over the group.
    p2p: direct copies work as far as is known; without them data goes through the host.
    """

    kind: LinkClass
    gbs: float
    latency_us: float
    p2p: bool | None
    text: str  # joined by 4 NVLinks; on PCIe 4.0 x16 without peer access


@dataclass(frozen=True, slots=True)
class _Pair:
    kind: LinkClass
    gbs: float
    p2p: bool | None
    links: int  # NVLinks or XGMI links, 0 on PCIe
    lanes: Lanes
    path: bool  # the way over PCIe is known


def joint_of(gpus: Sequence[Gpu], table: GpuTable) -> Joint:
    """How a group is joined: one that has NVLink between some pairs only is as slow as the rest."""
    if len(gpus) < 2:
        return Joint("none", 0.0, 0.0, None, "one GPU")
    pairs = [_pair(table, a, b) for a, b in itertools.combinations(gpus, 2)]
    kind = max((pair.kind for pair in pairs), key=lambda one: _FARNESS[one])
    p2p = _all_peers(pairs)
    base, each = _LATENCY[kind]
    latency = base + each * len(gpus) + (_HOST_LATENCY if p2p is False else 0.0)
    gbs = min(pair.gbs for pair in pairs)
    if kind in ("pcie", "socket"):
        gbs *= (2 / len(gpus)) ** _SHARED_ROOT
    return Joint(kind, gbs, latency, p2p, _text(pairs, kind, p2p))


def _pair(table: GpuTable, a: Gpu, b: Gpu) -> _Pair:
    """NVLinks whose peers can not reach each other (a fabric that is down) do not count."""
    link = table.link(a, b)
    told = link.p2p if link else None
    lanes = min((lanes_of(a.link), lanes_of(b.link)), key=lambda one: one.gbs)
    if link and link.nvlinks and told is not False:
        gbs = link.nvlinks * min(nvlink_gbs(a), nvlink_gbs(b)) * _USABLE
        return _Pair("nvlink", gbs, True, link.nvlinks, lanes, True)
    if link and link.xgmi and told is not False:
        gbs = link.xgmi * min(xgmi_gbs(a), xgmi_gbs(b)) * _USABLE
        return _Pair("xgmi", gbs, True, link.xgmi, lanes, True)
    p2p = False if False in (peer_access(a, told), peer_access(b, told)) else told
    path = link.path if link else None
    kind = _BY_PATH.get(path or "", "socket")
    gbs = lanes.gbs * (_ACROSS_SOCKETS if kind == "socket" else _USABLE)
    return _Pair(
        kind, gbs * (_THROUGH_HOST if p2p is False else 1), p2p, 0, lanes, path is not None
    )


def _all_peers(pairs: Sequence[_Pair]) -> bool | None:
    known = {pair.p2p for pair in pairs}
    return False if False in known else None if None in known else True


def _text(pairs: Sequence[_Pair], kind: LinkClass, p2p: bool | None) -> str:
    if kind in ("nvlink", "xgmi"):
        links = min(pair.links for pair in pairs)
        word = "NVLink" if kind == "nvlink" else "XGMI link"
        return f"joined by {links} {word}{'s' if links != 1 else ''}"
    slow = [pair for pair in pairs if not pair.links]
    lanes = min((pair.lanes for pair in slow), key=lambda one: one.gbs)
    known = all(pair.path for pair in slow)
    way = {"pcie-switch": "on one PCIe switch, ", "socket": "across sockets, "}.get(kind, "on ")
    text = f"{way if known or kind != 'socket' else 'by an unknown way, '}{lanes.text}"
    text += " without peer access" if p2p is False else ""
    joined = len(pairs) - len(slow)
    return text if not joined else f"{joined} of {len(pairs)} pairs by NVLink, the rest {text}"

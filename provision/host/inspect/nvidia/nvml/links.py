"""What NVML tells of the ways between GPUs: each NVLink, the NVSwitch fabric, each pair."""

from __future__ import annotations

from ctypes import byref
from typing import Any

from ..answers import NvmlLink, NvmlPair
from .session import (
    FUNCTION_NOT_FOUND,
    GPU_IS_LOST,
    INVALID_ARGUMENT,
    NOT_SUPPORTED,
    Device,
    address_text,
    question,
)

_MOST_LINKS = 36  # NVML_NVLINK_MAX_LINKS of the newest header (18 before 575, 12 before 515)
_P2P_NVLINK = 2  # nvmlGpuP2PCapsIndex_t


def links(device: Device) -> tuple[NvmlLink, ...] | None:
    """The NVLinks of a GPU by number, inactive ones too; none where it has none, None: not told.

    InvalidArgument is the end of the numbering. NotSupported is no link of that number, which a
    GPU without NVLink says of each: one that is fused off does not hide those after it.
    """
    found: list[NvmlLink] = []
    refused = False
    for link in range(_MOST_LINKS):
        told = device.question("nvmlDeviceGetNvLinkState", link)
        if told.code == INVALID_ARGUMENT:
            break
        if told.code == NOT_SUPPORTED:
            continue
        if told.code in (FUNCTION_NOT_FOUND, GPU_IS_LOST):
            refused = True
            break
        refused = refused or told.value is None
        found.append(_link(device, link, None if told.value is None else bool(told.value)))
    if refused and not any(one.active is not None for one in found):
        return None
    return tuple(found)


def _link(device: Device, link: int, active: bool | None) -> NvmlLink:
    """One link; what is at the other end of an inactive one is not asked."""
    if not active:
        return NvmlLink(link, active)
    remote = device.ask("nvmlDeviceGetNvLinkRemotePciInfo", link)
    kind = device.ask("nvmlDeviceGetNvLinkRemoteDeviceType", link)
    return NvmlLink(
        link=link,
        active=active,
        version=device.number("nvmlDeviceGetNvLinkVersion", link) or None,
        kind=kind if kind in (0, 1, 2) else None,  # 255: unknown to the driver
        remote=address_text(remote.busId) if remote else None,
    )


def fabric(device: Device) -> dict[str, Any]:
    """The NVSwitch fabric's state as this GPU sees it (driver 525; the structure V from 550)."""
    for kind, call in (
        ("c_nvmlGpuFabricInfo_v2_t", "nvmlDeviceGetGpuFabricInfoV"),
        ("c_nvmlGpuFabricInfo_t", "nvmlDeviceGetGpuFabricInfo"),
    ):
        make = getattr(device.nvml, kind, None)
        if make is None:
            continue
        info = make()  # its constructor fills in the version
        if device.question(call, byref(info)).code == 0:
            return {"fabric_state": info.state, "fabric_status": info.status}
    return {}


def pair_answers(a: int, b: int, one: Device, two: Device) -> NvmlPair:
    """Two GPUs. Asked past Device: a refusal may be about either of them."""
    nvml = one.nvml
    ends = (one.handle, two.handle)
    return NvmlPair(
        a,
        b,
        ancestor=question(nvml, "nvmlDeviceGetTopologyCommonAncestor", *ends).value,
        p2p=question(nvml, "nvmlDeviceGetP2PStatus", *ends, p2p_read_index()).value,
        nvlink=question(nvml, "nvmlDeviceGetP2PStatus", *ends, _P2P_NVLINK).value,
    )


def p2p_read_index() -> int:
    """NVML_P2P_CAPS_INDEX_READ.

    Symptom: TypeError at nvmlDeviceGetP2PStatus. In nvidia-ml-py up to 13.615 at least, a comma
    after the constant makes it the tuple (0,).
    """
    return 0

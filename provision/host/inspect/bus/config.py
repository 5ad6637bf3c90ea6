"""Configuration space of PCI devices: port types, access control, whether a device answers.

Offsets and bits are those of PCI Express Base Specification 5.0, chapter 7, and of the kernel's
include/uapi/linux/pci_regs.h. Anybody may read the first 64 bytes, root the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from ..tree import Tree

PortKind = Literal["root-port", "upstream", "downstream", "bridge"]
Read = Callable[[int], bytes]  # at most eight bytes from an offset

_HEADER = 64  # bytes that anybody may read
_STATUS, _CAPABILITIES = 0x06, 0x34
_HAS_CAPABILITIES = 0x10
_EXPRESS = 0x10
_EXTENDED = 0x100
_ACS = 0x000D
_REQUEST_REDIRECT = 0x04
_KINDS: dict[int, PortKind] = {
    4: "root-port",
    5: "upstream",
    6: "downstream",
    7: "bridge",  # PCIe to PCI
    8: "bridge",  # PCI to PCIe
}


def read_header(tree: Tree, folder: str) -> bytes:
    """What this user may read of the first 256 bytes: all, 64 or none.

    Nothing of a device in D3cold either, since to ask it would wake it up.
    """
    if tree.text(f"{folder}/power_state") == "D3cold":
        return b""
    return tree.head(f"{folder}/config", 256) or b""


def ids(config: bytes) -> tuple[int, int] | None:
    """Vendor and device; None where they are not told (a virtual function has ones there)."""
    if len(config) < _HEADER or config[:2] == b"\xff\xff":
        return None
    return int.from_bytes(config[:2], "little"), int.from_bytes(config[2:4], "little")


def read_acs_redirect(tree: Tree, folder: str) -> bool | None:
    """acs_redirect of a port, read in small pieces along the list of capabilities.

    The whole 4 KiB are never read at once: that costs a thousand accesses to the device, and some
    chips lock up at undefined offsets (the kernel's drivers/pci/pci-sysfs.c says so).
    """
    return acs_redirect(lambda offset: tree.head(f"{folder}/config", 8, offset) or b"")


def answers(config: bytes) -> bool | None:
    """False when all is ones: the device fell off the bus, or its link is down.

    A virtual function has ones for its ids alone.
    """
    return None if len(config) < _HEADER else config[:_HEADER] != b"\xff" * _HEADER


def port_kind(config: bytes) -> PortKind | None:
    """What a bridge is, by its PCIe capability; None when the capabilities may not be read.

    A bridge whose whole list holds no such capability joins conventional PCI buses.
    """
    if len(config) < 256 or answers(config) is False:
        return None
    at = config[_CAPABILITIES] & 0xFC if config[_STATUS] & _HAS_CAPABILITIES else 0
    seen: set[int] = set()
    while at:
        if at < _HEADER or at in seen:
            return None  # no list: rubbish
        seen.add(at)
        if config[at] == _EXPRESS:
            return _KINDS.get(config[at + 2] >> 4)
        at = config[at + 1] & 0xFC
    return "bridge"


def acs_redirect(read: Read) -> bool | None:
    """Whether P2P Request Redirect is on in the ACS capability; False for a port without one.

    Switch ports without the capability cannot redirect. None: not readable.
    """
    at = _EXTENDED
    seen: set[int] = set()
    while at:
        piece = read(at)
        if len(piece) < 4 or at in seen or piece[:4] == b"\xff\xff\xff\xff":
            return None
        seen.add(at)
        header = int.from_bytes(piece[:4], "little")
        if header & 0xFFFF == _ACS:
            if len(piece) < 8:
                return None
            return bool(int.from_bytes(piece[6:8], "little") & _REQUEST_REDIRECT)
        at = header >> 20 & 0xFFC
        if 0 < at < _EXTENDED:
            return None
    return False

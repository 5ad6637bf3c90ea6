"""What kind of card a GPU is, by the name that its driver gives it.

NVML tells no form factor. The names are those of the makers' own lists of products; a name that is
not known counts as none of these, so that nothing is expected of it.
"""

from __future__ import annotations

import re

from ...facts import Gpu

_DATA_CENTRE = re.compile(
    r"(?:^|NVIDIA |Tesla )(?:A(?:2|10[GM]?|16|30|40|100X?|800)|[BH]\d{2,3}|L(?:2|4|20|40[GS]?)"
    r"|T4G?|P(?:4|6|40|100)|V100S?|K80|M[46]0|G[BH][23]00)\b|Server Edition"
    r"|\bInstinct\b|Data Center GPU"  # of AMD, of Intel
)
_WORKSTATION = re.compile(
    r"RTX A\d{4}\b|RTX \d{4} Ada\b|RTX PRO \d{4}|Quadro (?:RTX|GV100|GP100)|TITAN (?:RTX|V)\b"
)
# H100, H200 ... without PCIe or NVL in the name are the SXM modules.
_SXM = re.compile(r"SXM|\b(?:H20|H100|H200|H800|B100|B200|B300|GB200|GB300)\b(?!.*(?:PCIe|NVL))")
_OLD_SXM = re.compile(r"\b(?:P100|V100)\b")  # sold on in home-made carriers without links
_LAPTOP = re.compile(r"Laptop|Mobile|Max-Q|\bMX\d{3}\b|RTX A?\d{4} Embedded")
# Joined to their CPU by NVLink-C2C or on one chip: their PCIe link carries no data.
_CHIP_TO_CHIP = re.compile(r"\b(?:GB10|GH200|GB200|GB300|Orin|Thor|Tegra|Xavier)\b")
# Cards that take an NVLink bridge, and what it carries both ways together, in GB/s.
_BRIDGES = (
    (re.compile(r"RTX 3090|RTX A(?:4500|5000|5500|6000)\b|\bA40\b"), 112),
    (re.compile(r"\bA30\b"), 200),
    (re.compile(r"\b(?:A100|A800)\b(?!.*SXM)|\b(?:H100|H800) (?:PCIe|NVL)"), 600),
    (re.compile(r"\bH200 NVL"), 900),
    (re.compile(r"RTX 2080 Ti|TITAN RTX|Quadro RTX [68]000"), 100),
    (re.compile(r"RTX 2080\b|Quadro RTX 5000"), 50),
)


def geforce(gpu: Gpu) -> bool:
    """A consumer card, whose driver refuses peer-to-peer over PCIe."""
    return "GeForce" in (gpu.name or "")


def laptop(name: str | None) -> bool:
    """Soldered into a laptop: its lanes and its power are not the owner's to change."""
    return bool(_LAPTOP.search(name or ""))


def data_centre(name: str | None) -> bool:
    return bool(_DATA_CENTRE.search(name or ""))


def peer_to_peer(gpu: Gpu) -> bool:
    """A card whose driver allows peer-to-peer over PCIe: data centre and workstation cards."""
    return data_centre(gpu.name) or bool(_WORKSTATION.search(gpu.name or ""))


def sxm(gpu: Gpu) -> bool:
    """A module on a board that joins it to the others by NVLink."""
    return bool(_SXM.search(gpu.name or ""))


def old_sxm(gpu: Gpu) -> bool:
    """SXM2 and SXM3 modules, often found alone in adapters for PCIe slots."""
    return sxm(gpu) and bool(_OLD_SXM.search(gpu.name or ""))


def chip_to_chip(name: str | None) -> bool:
    """Not joined to its CPU by PCIe: the PCIe link shows x1 or generation 1 and means nothing."""
    return bool(_CHIP_TO_CHIP.search(name or ""))


def bridge_bandwidth(gpu: Gpu) -> int | None:
    """GB/s, both ways together, of the NVLink bridge that a card takes; None: it takes none."""
    if laptop(gpu.name):
        return None
    for pattern, bandwidth in _BRIDGES:
        if pattern.search(gpu.name or ""):
            return bandwidth
    return None

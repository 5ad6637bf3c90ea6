"""What the kernel's DRM and hwmon files tell of one GPU, whoever made it."""

from __future__ import annotations

import re

from ...facts import PciDevice
from ..tree import Tree

_DEVICES = "/sys/bus/pci/devices"
_MOST_BYTES = 1 << 50
_MOST_MICROWATTS = 1 << 40


def device_folder(device: PciDevice) -> str:
    """The folder of a device on the PCI bus."""
    return f"{_DEVICES}/{device.address}"


def marketing_name(maker: str, device: PciDevice) -> str:
    """`AMD Instinct MI300X` of pci.ids' `Aqua Vanjaram [Instinct MI300X]`; else by its device id.

    pci.ids puts the name of the product in brackets behind that of the chip.
    """
    if not device.name:
        return f"{maker} GPU {device.device_id}"
    match = re.search(r"\[([^\[\]]+)\]\s*$", device.name)
    name = " ".join((match[1] if match else device.name).split())
    return name if name.startswith(f"{maker} ") else f"{maker} {name}"


def render_node(tree: Tree, device: PciDevice) -> str | None:
    """/dev/dri/renderD128: what a process opens to compute."""
    numbers = _numbers(tree, f"{device_folder(device)}/drm", "renderD")
    return f"/dev/dri/renderD{numbers[0]}" if numbers else None


def card_folder(tree: Tree, device: PciDevice) -> str | None:
    """The folder of the card's DRM minor, .../drm/card0."""
    folder = f"{device_folder(device)}/drm"
    numbers = _numbers(tree, folder, "card")
    return f"{folder}/card{numbers[0]}" if numbers else None


def hwmon_folder(tree: Tree, device: PciDevice, driver: str) -> str | None:
    """The folder with the sensors that a driver registered for a device."""
    folder = f"{device_folder(device)}/hwmon"
    numbers = _numbers(tree, folder, "hwmon")
    places = [f"{folder}/hwmon{number}" for number in numbers]
    named = [place for place in places if tree.text(f"{place}/name") == driver]
    return next(iter(named or places), None)


def watts(tree: Tree, hwmon: str | None, *files: str) -> float | None:
    """The first of these files that tells a power in microwatts.

    0 is no power: drivers write it for limits that the firmware does not tell (amdgpu before 6.7
    for every power1_cap_min) and for the draw of a card that sleeps.
    """
    for file in files if hwmon else ():
        told = number(tree, f"{hwmon}/{file}", _MOST_MICROWATTS)
        if told:
            return told / 1e6
    return None


def celsius(tree: Tree, hwmon: str | None, *files: str) -> int | None:
    """The first of these files that tells a temperature in thousandths of a degree."""
    for file in files if hwmon else ():
        told = tree.number(f"{hwmon}/{file}")
        if told is not None and -100_000 < told < 250_000:
            return told // 1000
    return None


def megahertz(tree: Tree, hwmon: str | None, file: str) -> int | None:
    """A clock in Hz; 0 while the card sleeps is none."""
    told = number(tree, f"{hwmon}/{file}", _MOST_MICROWATTS) if hwmon else None
    return told // 1_000_000 or None if told else None


def size_bytes(tree: Tree, path: str) -> int | None:
    """A size in bytes that is not 0."""
    return number(tree, path, _MOST_BYTES) or None


def number(tree: Tree, path: str, most: int = _MOST_BYTES) -> int | None:
    """A number from 0 to a bound: what a broken file says beyond it is unknown."""
    told = tree.number(path)
    return told if told is not None and 0 <= told <= most else None


def mib(size: int | None) -> int | None:
    """Bytes as whole MiB."""
    return None if size is None else size >> 20


def _numbers(tree: Tree, folder: str, prefix: str) -> list[int]:
    found = (re.fullmatch(rf"{prefix}([0-9]{{1,6}})", name) for name in tree.names(folder))
    return sorted(int(match[1]) for match in found if match)

"""The machine's maker and model, from DMI or the device tree."""

from __future__ import annotations

import re

from ..tree import Tree

# Where DMI lies; the second is a link to the first on a live machine.
DMI_FOLDERS = ("/sys/devices/virtual/dmi/id", "/sys/class/dmi/id")
DEVICE_TREES = ("/sys/firmware/devicetree/base", "/proc/device-tree")

# What makers of boards leave in the fields that the maker of the machine should have filled.
_PLACEHOLDERS = frozenset(
    {
        "",
        "-",
        "all series",
        "chassis manufacture",
        "computer",
        "default",
        "default string",
        "empty",
        "invalid",
        "n/a",
        "no",
        "none",
        "not applicable",
        "not available",
        "not defined",
        "not specified",
        "null",
        "o.e.m",
        "o.e.m.",
        "oem",
        "pc",
        "product name",
        "standard",
        "super server",  # Supermicro's for every barebone; the board has the model
        "system manufacturer",
        "system name",
        "system product",
        "system product name",
        "system vendor",
        "to be filled",
        "to be filled by o.e.m",
        "to be filled by o.e.m.",
        "undefined",
        "unknow",
        "unknown",
        "unspecified",
        "vendor",
        "x.x",
    }
)


def read_product(tree: Tree) -> str | None:
    """Maker and model: of the machine where DMI names it, else of its board, else of its tree."""
    for folder in DMI_FOLDERS:
        vendor = tree.text(f"{folder}/sys_vendor")
        told = (
            product_of(vendor, tree.text(f"{folder}/product_name"))
            or product_of(tree.text(f"{folder}/board_vendor"), tree.text(f"{folder}/board_name"))
            or meaning(vendor)
        )
        if told is not None:
            return told
    models = (meaning(tree.text(f"{folder}/model")) for folder in DEVICE_TREES)
    return next((model for model in models if model), None)


def product_of(vendor: str | None, model: str | None) -> str | None:
    """Maker and model as one text, the maker once; None where the model says nothing.

    Makers repeat themselves: HP and `HP EliteBook`, NVIDIA and `NVIDIA_DGX_Spark`.
    """
    maker, name = meaning(vendor), meaning(model)
    if name is None or maker is None or name.lower().startswith(maker.lower()):
        return name
    return f"{maker} {name}"


def meaning(text: str | None) -> str | None:
    """What a DMI field says, spaces made single; None for a placeholder or unprintable bytes."""
    words = " ".join((text or "").split())
    plain = words.lower()
    # Serial-like counting is a placeholder too: 0123456789, 1234567890, 00000000, xxxxxxxx.
    counting = re.fullmatch(r"0?123456789\d*|(.)\1{2,}", plain)
    if plain in _PLACEHOLDERS or counting or not words.isprintable() or "\ufffd" in words:
        return None
    return words

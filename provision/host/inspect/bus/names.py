"""Names of PCI devices from the host's own table, pci.ids (hwdata)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ..tree import Tree

_TABLES = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")  # Debian, Red Hat and others
_MOST_BYTES = 8 << 20  # the table of 2025 has 1.5 MiB
_NEXT_VENDOR = re.compile(rb"\n[0-9A-Za-z]")

Ids = tuple[str, str]  # vendor and device


def read_names(tree: Tree, wanted: Collection[Ids]) -> Mapping[Ids, str]:
    """The names of these devices by their ids, as far as the host has a table that knows them."""
    if not wanted:
        return {}
    tables = (tree.head(path, _MOST_BYTES) for path in _TABLES)
    table = next((one for one in tables if one), b"")
    return names_in(table, wanted)


def names_in(table: bytes, wanted: Collection[Ids]) -> Mapping[Ids, str]:
    """The names in a table's text; only the vendors that are wanted are looked at."""
    text = b"\n" + table.replace(b"\r", b"")
    names: dict[Ids, str] = {}
    for vendor in sorted({vendor for vendor, _ in wanted}):
        start = text.find(b"\n%b  " % vendor.encode())
        if start < 0:
            continue
        after = _NEXT_VENDOR.search(text, start + 5)
        end = after.start() if after else len(text)
        for device in sorted(device for one, device in wanted if one == vendor):
            key = b"\n\t%b  " % device.encode()
            at = text.find(key, start, end)
            if at >= 0:
                line = text[at + len(key) : end].partition(b"\n")[0]
                name = line.decode("utf-8", "replace").strip()
                if name:
                    names[vendor, device] = name
    return names

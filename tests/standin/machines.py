"""Named machines for the NVML stand-in."""

from __future__ import annotations

from collections.abc import Callable

from .tables import PHB, Slice, table_text


def _four_h100() -> str:
    buses = ("0000:17:00.0", "0000:3d:00.0", "0000:97:00.0", "0000:bd:00.0")
    return table_text(buses, nodes=(0, 0, 1, 1))


def _two_3090() -> str:
    buses = ("0000:01:00.0", "0000:02:00.0")
    return table_text(buses, "3090", nvlinks={(0, 1): 4}, near=PHB, p2p=2)


def _eight_h100() -> str:
    buses = [f"0000:{bus}:00.0" for bus in ["1b", "43", "52", "61", "9d", "c3", "d1", "df"]]
    switches = [f"0000:{bus}:00.0" for bus in ["05", "06", "07", "08"]]
    nodes = (0, 0, 0, 0, 1, 1, 1, 1)
    return table_text(buses, nodes=nodes, switch_links=18, switches=switches)


def _one_h100_mig() -> str:
    slices = (
        Slice(0, "3g.40gb", 40448, gi=2),
        Slice(0, "1g.10gb", 9856, gi=9),
        Slice(0, "1g.10gb", 9856, gi=7),
    )
    return table_text(("0000:17:00.0",), "h100-mig", slices=slices)


def _laptop() -> str:
    return table_text(("0000:01:00.0",), "4090-laptop")


def _spark() -> str:
    return table_text(("000f:01:00.0",), "gb10")


def _grace() -> str:
    return table_text(("0009:01:00.0",), "gh200", cpus=["0-71"], node_lists=["0"], memory_nodes=[1])


def _mixed() -> str:
    return table_text(("0000:01:00.0", "0000:04:00.0"), ("3090", "3060"), near=PHB, p2p=2)


MACHINES: dict[str, Callable[[], str]] = {
    "4xh100-2node": _four_h100,
    "2x3090-nvlink": _two_3090,
    "8xh100-nvswitch": _eight_h100,
    "1xh100-mig": _one_h100_mig,
    "1x4090-laptop": _laptop,
    "1xgb10": _spark,
    "1xgh200": _grace,
    "mixed-24-12": _mixed,
}


def machine_table(name: str) -> str:
    """The table of a named machine."""
    return MACHINES[name]()

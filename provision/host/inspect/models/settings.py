"""Values of a model's header as the facts take them: short, finite, printable."""

from __future__ import annotations

import math

Setting = int | float | bool | str
_MOST_TEXT = 256
_MOST_KEY = 128
MOST_SETTINGS = 512
MOST_LISTS = 64
MOST_ITEMS = 256  # of a list; a model has fewer layers


def printable(text: str) -> str:
    """The text without what would move a terminal's cursor or could not be written as UTF-8."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def setting(value: object) -> Setting | None:
    """A scalar; None for anything else, and for a text or number beyond all sense."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 64 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str) and len(value) <= _MOST_TEXT:
        return printable(value)
    return None


def setting_key(key: str) -> str | None:
    """A key; None for one that is no name at all."""
    return printable(key) if 0 < len(key) <= _MOST_KEY else None


def setting_list(values: list[object]) -> tuple[int | float | str, ...] | None:
    """A list of scalars, truth as 0 and 1; None for a long one and for one of anything else."""
    if not 0 < len(values) <= MOST_ITEMS:
        return None
    items = [setting(one) for one in values]
    if any(one is None for one in items):
        return None
    return tuple(int(one) if isinstance(one, bool) else one for one in items if one is not None)

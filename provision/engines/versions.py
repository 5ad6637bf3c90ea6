"""Versions as engines print them, and "is it new enough": unknown is never new enough."""

from __future__ import annotations

import re


def numbers(version: str | None) -> tuple[int, ...] | None:
    """The leading numbers of a version: `0.12.3rc1` -> (0, 12, 3); None when there are none.

    llama.cpp has build numbers, printed as `b11434` or `11434 (abcdef1)`: (11434,).
    """
    match = re.match(r"[vb]?(\d+(?:\.\d+)*)", (version or "").strip())
    return tuple(int(part) for part in match[1].split(".")) if match else None


def at_least(version: str | None, wanted: tuple[int, ...]) -> bool:
    """Whether this version is known and not older than the wanted one."""
    found = numbers(version)
    return found is not None and found >= wanted

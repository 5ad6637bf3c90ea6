"""How a message names things: `chat: gpus[1]`, `"0,1"`, `a list`."""

from __future__ import annotations

from typing import Any

from .places import Path, Scalar

_LONGEST = 60
_SECTIONS = ("proxy", "gpu_settings")


def subject(path: Path) -> str:
    """The object that a path lies in, as a message begins: `chat: `, `proxy: `, or nothing."""
    if path[:1] == ("instances",) and len(path) > 2:
        return f"{clip(str(path[1]))}: "
    return f"{path[0]}: " if len(path) > 1 and path[0] in _SECTIONS else ""


def label(path: Path) -> str:
    """A path within its object: `gpus[1]`, `upstreams[0].path`; its name for the object itself."""
    start = 0
    if path[:1] == ("instances",) and len(path) > 1:
        start = 2 if len(path) > 2 else 1
    elif len(path) > 1 and path[0] in _SECTIONS:
        start = 1
    text = ""
    for step in path[start:]:
        text += f"[{step}]" if isinstance(step, int) else f".{clip(step)}" if text else clip(step)
    return text


def shown(value: Any, scalar: Scalar | None = None) -> str:
    """A value as it is written in the file, shortened; lists and mappings by their kind."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if scalar and scalar.plain:
        return clip(scalar.text)
    return quoted(value) if isinstance(value, str) else clip(str(value))


def quoted(text: str) -> str:
    """Text between quotes, on one line whatever is in it."""
    return '"' + clip(text) + '"'


def one_line(text: str) -> str:
    """Text with everything that does not print, line ends above all, as an escape."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def clip(text: str) -> str:
    """Text on one line without control characters, at most 60 characters."""
    line = one_line(text)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"

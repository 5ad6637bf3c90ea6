"""How long the last start of a service took, from systemd's own record."""

from __future__ import annotations

from collections.abc import Sequence

from .. import systemd
from ..run import must

_ENTERED = "ActiveEnterTimestampMonotonic"  # ready: for our units after ExecStartPost
_LEFT = "InactiveExitTimestampMonotonic"  # the start began
_PROPERTIES = ("Id", "ActiveState", _ENTERED, _LEFT)


def start_seconds(units: Sequence[str]) -> dict[str, float]:
    """By unit, for those that run; nothing where there is no systemd. ProvisionError as systemctl.

    systemd keeps both times until the next start, also over a daemon-reload.
    """
    names = tuple(dict.fromkeys(units))
    if not names or not systemd.booted():
        return {}
    ran = must(["systemctl", "show", "--no-pager", "-p", ",".join(_PROPERTIES), "--", *names])
    return parse_starts(ran.out, names)


def parse_starts(text: str, names: Sequence[str]) -> dict[str, float]:
    """The blocks that systemctl prints, one a unit, in the order asked for. 0: never."""
    found: dict[str, float] = {}
    blocks = [block for block in text.split("\n\n") if block.strip()]
    for name, block in zip(names, blocks, strict=False):
        pairs = (line.partition("=") for line in block.splitlines())
        values = {key: value for key, _, value in pairs}
        left, entered = (_microseconds(values.get(key)) for key in (_LEFT, _ENTERED))
        if values.get("ActiveState") == "active" and left and entered and entered >= left:
            found[name] = (entered - left) / 1_000_000
    return found


def _microseconds(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None

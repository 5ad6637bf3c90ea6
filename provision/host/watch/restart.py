"""Restarting an instance that was out for long: only where no run of provision is at work."""

from __future__ import annotations

from .. import systemd
from ..errors import Exit, ProvisionError
from ..files import Files
from ..transaction.lock import hold


def restart(files: Files, unit: str) -> str:
    """Queue the restart of a unit that is active; what was done or why nothing was, in words.

    It is not waited for: loading a model takes minutes, in which the others are looked at and an
    apply may run. systemd's own count of starts holds, so a unit that never recovers is given up.
    """
    if not files.live or not systemd.booted():
        return "not restarted: this host has no systemd"
    try:
        with hold(files):
            status = systemd.status(unit)
            if not status.running:
                return f"not restarted: its unit is {status.active}"
            systemd.queue_restart(unit)
    except ProvisionError as error:
        if error.exit_code == Exit.LOCKED:
            return "not restarted yet: another run of provision is at work"
        return f"cannot be restarted: {_first_line(error)}"
    return "its unit is being restarted"


def _first_line(error: ProvisionError) -> str:
    return (str(error).splitlines() or [""])[0].removeprefix("error: ")

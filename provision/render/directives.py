"""What a version of systemd knows of the directives that the units would like to use.

From systemd's NEWS. Everything else in the templates is known to 249 (Ubuntu 22.04) and older.
"""

from __future__ import annotations

from collections.abc import Mapping

OLDEST = 249

SINCE: Mapping[str, int] = {
    "RestartSteps": 254,  # and RestartMaxDelaySec=, which goes with it
}
# tmpfiles.d: `:` before mode, user and group leaves a folder that exists as it is
KEEPS_FOLDERS_SINCE = 252

_WITHOUT: Mapping[str, str] = {
    "RestartSteps": "a failed instance is restarted every 15 s, without growing pauses",
}


def knows(directive: str, version: int | None) -> bool:
    """Whether this systemd knows the directive; an unknown version counts as the oldest."""
    return (version or OLDEST) >= SINCE.get(directive, 0)


def keeps_folders(version: int | None) -> bool:
    """Whether tmpfiles.d can make a folder without changing one that is there."""
    return (version or OLDEST) >= KEEPS_FOLDERS_SINCE


def left_out(version: int | None) -> tuple[str, ...]:
    """What is left out of the units for this systemd, each with what it means, in sentences."""
    said = "unknown" if version is None else str(version)
    notes = [
        f"{name}= needs systemd {since}, this host has {said}: {_WITHOUT[name]}"
        for name, since in sorted(SINCE.items())
        if not knows(name, version)
    ]
    if not keeps_folders(version):
        notes.append(
            f"tmpfiles.d with `:` needs systemd {KEEPS_FOLDERS_SINCE}, this host has {said}: "
            "a models_dir that is missing is not made"
        )
    return tuple(notes)

"""A picture of a host: every file and unit that an apply could touch. Two of them are compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..machine import Host

# What is true for a moment only: health, holds, what watch thinks, that somebody was at work.
# Of /run/provision the environments count, which guard writes at each start.
_NO_PART = ("/run/provision.lock", "/run/provision ", "/run/provision/", "/etc/ld.so.preload")
_BUT = re.compile(r"/run/provision/[^/ ]+\.env\b")
_ENGINES = ("llama-server@chat.0.service", "llama-server@mail.0.service")
_END = "--- so far"
_CONTENTS = (
    "find /etc /usr/local /var/lib/provision /run/provision -type f -exec sha256sum {} +"
    " 2>/dev/null | sort -k2"
)
_UNITS = (
    "systemctl show -p Id,ActiveState,UnitFileState,InvocationID"
    " 'llama-server@*' 'provision*' nginx.service"
)
# What the running engines were started with: of which apply, with which digest.
_LIVE = (
    f"for u in {' '.join(_ENGINES)}; do p=$(systemctl show -p MainPID --value $u);"
    " echo $u $(tr '\\0' '\\n' < /proc/$p/environ | grep -E '^(LLAMA_MARK|PROVISION_DIGEST)='"
    " | sort); done"
)


@dataclass(frozen=True, slots=True)
class Picture:
    """files: every path with kind, mode, owner, target, time of change. contents: digests.

    live: marks and digests in the environment of the engines that run.
    """

    files: tuple[str, ...]
    contents: tuple[str, ...]
    units: Mapping[str, str]
    live: tuple[str, ...]

    @classmethod
    def of(cls, host: Host) -> Picture:
        said = host.run(f"{_CONTENTS}; echo '{_END}'; {_UNITS}; echo '{_END}'; {_LIVE}")
        contents, units, live = said.split(f"{_END}\n")
        return cls(_ours(host.files()), _ours(contents), _states(units), tuple(live.splitlines()))

    @property
    def names(self) -> set[str]:
        """Paths with kind, mode and owner, without their times."""
        return {line.rsplit(" ", 1)[0] for line in self.files}

    def is_untouched(self, after: Picture) -> None:
        """Nothing was written and nothing was started between the two."""
        assert set(after.files) ^ set(self.files) == set()
        assert set(after.contents) ^ set(self.contents) == set()
        assert after.units == self.units

    def is_back(self, after: Picture, restarted: Iterable[str]) -> None:
        """The same files and units; only these units may have been started anew meanwhile."""
        assert after.names ^ self.names == set()
        assert set(after.contents) ^ set(self.contents) == set()
        assert _without_runs(after.units, restarted) == _without_runs(self.units, restarted)
        assert after.live == self.live


def _ours(lines: str) -> tuple[str, ...]:
    return tuple(
        line
        for line in lines.splitlines()
        if _BUT.search(line) or not any(part in line for part in _NO_PART)
    )


def _states(blocks: str) -> dict[str, str]:
    """Blocks of `systemctl show`, by the unit's name."""
    found = {}
    for block in blocks.strip().split("\n\n"):
        pairs = dict(line.split("=", 1) for line in block.splitlines())
        found[pairs.pop("Id")] = " ".join(pairs.values())
    return found


def _without_runs(units: Mapping[str, str], restarted: Iterable[str]) -> dict[str, str]:
    """Of the units that may be restarted the states alone."""
    again = set(restarted)
    return {
        name: " ".join(word for word in text.split() if len(word) != 32) if name in again else text
        for name, text in units.items()
    }

"""A built machine as a Source: its files, and what its programs and its driver answer."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from provision.host.inspect.nvidia.answers import NvmlAnswers
from provision.host.inspect.source import Room, Source
from provision.host.run import Ran

_DEFAULT_LIMITS: dict[str, int | str] = {
    "DefaultLimitMEMLOCK": 8 << 20,
    "DefaultLimitMEMLOCKSoft": 8 << 20,
    "DefaultLimitNOFILE": 524288,
    "DefaultLimitNOFILESoft": 1024,
}


@dataclass(frozen=True)
class BuiltSource(Source):
    """units: state and enablement by name. commands: output by the beginning of a command line."""

    answers: NvmlAnswers | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    rooms: Mapping[str, Room] = field(default_factory=dict)
    limits: Mapping[str, int | str] = field(default_factory=dict)  # of systemd, where changed

    def run(self, argv: Sequence[str], timeout: float = 10) -> Ran:
        words = [argv[0].rpartition("/")[2], *argv[1:]]
        said = self._systemctl(words) if words[0] == "systemctl" else self._said(" ".join(words))
        return super().run(argv, timeout) if said is None else Ran(tuple(argv), 0, said, "")

    def _said(self, line: str) -> str | None:
        return next((text for start, text in self.commands.items() if line.startswith(start)), None)

    def _systemctl(self, words: list[str]) -> str | None:
        """`systemctl show`, of the manager itself or of units by name and by pattern."""
        if words[1:2] != ["show"]:
            return None
        if "--" not in words:
            return "".join(
                f"{name}={value}\n" for name, value in {**_DEFAULT_LIMITS, **self.limits}.items()
            )
        blocks = []
        for wanted in words[words.index("--") + 1 :]:
            found = fnmatch.filter(self.units, wanted)
            blocks += [_unit(name, *self.units[name].split()) for name in sorted(found)]
            if not found and "*" not in wanted:
                blocks.append(_unit(wanted, "inactive"))
        return "\n".join(blocks)

    def room(self, path: str) -> Room | None:
        return self.rooms.get(path)

    def may_read(self, path: str) -> bool | None:
        return True if self.status(path) else None

    def may_trust(self, path: str) -> bool:
        return self.is_file(path)

    def ask_nvml(self) -> NvmlAnswers | None:
        return self.answers


def kernel_log(entries: Sequence[tuple[float, str]]) -> str:
    """What dmesg prints: the boot's first line, then these, each with its seconds."""
    lines = ["[    0.000000] Linux version (gcc) #1 SMP"]
    lines += [f"[{seconds:12.6f}] {text}" for seconds, text in entries]
    return "".join(f"{line}\n" for line in lines)


def _unit(name: str, active: str, enabled: str = "") -> str:
    loaded = "loaded" if enabled or active != "inactive" else "not-found"
    fragment = f"/usr/lib/systemd/system/{name}" if loaded == "loaded" else ""
    told: dict[str, Any] = {
        "Id": name,
        "LoadState": loaded,
        "ActiveState": active,
        "UnitFileState": enabled,
        "FragmentPath": fragment,
        "MainPID": 0,
    }
    return "".join(f"{key}={value}\n" for key, value in told.items())

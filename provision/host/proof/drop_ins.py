"""Settings that lie over a unit: which files systemd reads for it, and what they set."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ProvisionError
from ..files import Files
from ..run import must

_SECTION_KEY = re.compile(r"^\s*([A-Za-z]+)\s*=", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class UnitFiles:
    """What a unit consists of. kind: Type= of a service; stays: RemainAfterExit=yes."""

    fragment: str = ""
    drop_ins: tuple[str, ...] = ()
    kind: str = ""
    stays: bool = False

    @property
    def rests(self) -> bool:
        """Whether it is inactive between its runs, as a oneshot service is."""
        return self.kind == "oneshot" and not self.stays


def parse_unit_files(text: str, names: Sequence[str]) -> dict[str, UnitFiles]:
    """Blocks of `systemctl show -p Id,FragmentPath,DropInPaths,Type,RemainAfterExit A B`.

    Paths in DropInPaths are parted by blanks; one with a blank in it is quoted.
    """
    blocks = [block for block in text.split("\n\n") if block.strip()]
    found: dict[str, UnitFiles] = {}
    for name, block in zip(names, blocks, strict=False):
        pairs = (line.partition("=") for line in block.splitlines() if "=" in line)
        values = {key: value for key, _, value in pairs}
        found[name] = UnitFiles(
            values.get("FragmentPath", ""),
            _paths(values.get("DropInPaths", "")),
            values.get("Type", ""),
            values.get("RemainAfterExit") == "yes",
        )
    return found


def unit_files(names: Sequence[str]) -> dict[str, UnitFiles]:
    """The files that systemd has read for each of these units."""
    if not names:
        return {}
    wanted = "Id,FragmentPath,DropInPaths,Type,RemainAfterExit"
    ran = must(["systemctl", "show", "--no-pager", "-p", wanted, "--", *names])
    return parse_unit_files(ran.out, names)


def settings_in(text: str) -> tuple[str, ...]:
    """The names of the settings in a unit file, each once, in the order in which they stand."""
    lines = "\n".join(
        line for line in text.splitlines() if not line.lstrip().startswith(("#", ";"))
    )
    return tuple(dict.fromkeys(_SECTION_KEY.findall(lines)))


def settings_of(files: Files, path: str) -> tuple[str, ...] | None:
    """The settings in a file on disk; None where it is gone or may not be read."""
    try:
        content = files.read(path)
    except ProvisionError:
        return None
    return None if content is None else settings_in(content.decode("utf-8", "replace"))


def _paths(words: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(words))
    except ValueError:
        return tuple(words.split())

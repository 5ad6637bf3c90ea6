"""Where the playbooks lie: beside a checkout's package, or inside the installed one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from provision.host.errors import fail

Verb = Literal["inspect", "plan", "apply", "verify", "remove"]

_PACKAGE = Path(__file__).resolve().parents[1]


def playbook(verb: Verb) -> Path:
    """The absolute path of a verb's playbook; a checkout wins over the installed copy."""
    folders = (_PACKAGE.parent / "playbooks", _PACKAGE / "_data" / "playbooks")
    for folder in folders:
        path = folder / f"{verb}.yml"
        if path.is_file():
            return path
    raise fail(
        "no-playbooks",
        f"the playbook {verb}.yml is neither in {folders[0]} nor in {folders[1]}",
        "this installation of provision is incomplete: install it again",
    )

"""CUDA_DEVICE_ORDER as people's shells get it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..tree import Tree

_FILES = ("/etc/environment", "/etc/profile", "/etc/bash.bashrc", "/etc/bashrc")
_FOLDERS = (("/etc/profile.d", ".sh"), ("/etc/environment.d", ".conf"))
_CUDA_DEFAULT = "FASTEST_FIRST"
_ASSIGNMENT = re.compile(
    r"""^\s*(?:export\s+)?CUDA_DEVICE_ORDER\s*=\s*["']?(PCI_BUS_ID|FASTEST_FIRST)\b""", re.MULTILINE
)


def read_device_order(tree: Tree) -> str | None:
    """What the files of the system set; CUDA's own default when none does.

    None on a tree that has none of the places where it could be set.
    """
    looked = False
    order = _CUDA_DEFAULT
    for path in _places(tree):
        text = tree.text(path)
        if text is None:
            continue
        looked = True
        order = set_order(text) or order
    return order if looked else None


def set_order(text: str) -> str | None:
    """The last assignment in a shell's or pam_env's file that is no comment."""
    found = _ASSIGNMENT.findall(text)
    return found[-1] if found else None


def _places(tree: Tree) -> Iterator[str]:
    yield from _FILES
    for folder, ending in _FOLDERS:
        for name in tree.names(folder):
            if name.endswith(ending):
                yield f"{folder}/{name}"

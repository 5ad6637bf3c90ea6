"""What a command reads: host.yaml, recorded facts, standard input for one of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provision.host.errors import fail

if TYPE_CHECKING:
    from provision.host.facts import Facts
    from provision.host.files import Files
    from provision.spec.read import ReadSpec

_MOST_BYTES = 16 * 1024 * 1024  # far above any host.yaml or facts; a device or a model is refused


def read_host_yaml(path: Path) -> ReadSpec:
    """The spec in a file, or on stdin when the path is `-`."""
    from provision import pipeline

    return pipeline.read(bytes_of(path), name_of(path))


def read_facts(path: Path) -> Facts:
    """Facts as `provision inspect` writes them."""
    from provision.host.document import loads
    from provision.host.facts import Facts

    return loads(Facts, bytes_of(path, "provision inspect -o FILE makes one"), name_of(path))


def bytes_of(path: Path, hint: str | None = None) -> bytes:
    """What a file holds. ProvisionError `unreadable` says why nothing can be had of it."""
    try:
        data = sys.stdin.buffer.read(_MOST_BYTES + 1) if _is_stdin(path) else _first_bytes(path)
    except OSError as error:
        raise fail("unreadable", f"{name_of(path)}: {error.strerror}", hint) from None
    if len(data) > _MOST_BYTES:
        raise fail("unreadable", f"{name_of(path)}: larger than {_MOST_BYTES >> 20} MiB")
    return data


def not_both_stdin(*paths: Path | None) -> None:
    """Standard input can be read once."""
    if sum(path is not None and _is_stdin(path) for path in paths) > 1:
        raise fail("stdin-twice", "only one of host.yaml and --facts can be - (standard input)")


def files_at(root: Path | None) -> Files:
    """The live host, or a scratch root below a folder."""
    from provision.host.files import Files

    return Files(root.resolve()) if root is not None else Files()


def must_be_there(root: Path) -> None:
    """ProvisionError `unreadable` for a scratch root that does not exist."""
    if not root.is_dir():
        raise fail("unreadable", f"{root}: there is no such folder")


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_MOST_BYTES + 1)


def _is_stdin(path: Path) -> bool:
    return str(path) == "-"


def name_of(path: Path) -> str:
    return "<stdin>" if _is_stdin(path) else str(path)

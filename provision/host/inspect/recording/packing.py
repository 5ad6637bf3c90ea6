"""A recording as one archive: the same bytes for the same recording."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ...document import dumps
from ...errors import fail
from .recording import COMMANDS, FILES, NVML, RECORDING, SEGMENTS, Kept

TOP = "recording"  # the one folder in the archive
_TIME = 315532800  # 1980-01-01: a recording says nothing of its time
_PRESET = 3  # of xz: near the best for such small files, at a fifth of the time


def refuse_to_overwrite(archive: Path) -> None:
    """ProvisionError `exists`, before any work is done."""
    if os.path.lexists(archive):
        raise fail("exists", f"{archive} is there already", "give another name, or remove it first")
    if not archive.absolute().parent.is_dir():
        raise fail("unwritable", f"{archive}: there is no folder {archive.absolute().parent}")


def pack(kept: Kept, archive: Path) -> None:
    """Write the archive, readable by its owner alone, whole or not at all."""
    refuse_to_overwrite(archive)
    new = archive.with_name(f".{archive.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as out:
                _write(kept, out)
                out.flush()
                os.fsync(out.fileno())
            new.rename(archive)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise fail("unwritable", f"{archive}: {error.strerror}") from None


def documents(kept: Kept) -> Iterator[tuple[str, bytes]]:
    """The files beside files/, by name."""
    for name, value in ((RECORDING, kept.recording), (COMMANDS, kept.commands), (NVML, kept.nvml)):
        if value is not None:
            # Names on a host are bytes: what is not UTF-8 in them is a lone surrogate here.
            yield name, dumps(value).encode("utf-8", "surrogatepass")
    for name, data in sorted(kept.segments.items()):
        yield f"{SEGMENTS}/{name}", data


def folders(kept: Kept) -> list[str]:
    """Every folder of the tree, those above before those in them; "" is the root."""
    found = {""}
    for path in (*kept.folders, *kept.files, *kept.recording.stubs, *kept.links):
        above = path if path in kept.folders else path.rpartition("/")[0]
        while above.strip("/") and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return sorted(found)


def _write(kept: Kept, out: IO[bytes]) -> None:
    import lzma
    import tarfile

    with (
        lzma.open(out, "wb", preset=_PRESET) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):

        def add(name: str, kind: bytes, data: bytes = b"", target: str = "") -> None:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, len(data), target
            member.mode = {tarfile.DIRTYPE: 0o755, tarfile.SYMTYPE: 0o777}.get(kind, 0o644)
            member.mtime = _TIME
            tar.addfile(member, io.BytesIO(data))

        add(TOP, tarfile.DIRTYPE)
        for name, data in documents(kept):
            add(f"{TOP}/{name}", tarfile.REGTYPE, data)
        for path in folders(kept):
            add(f"{TOP}/{FILES}{path}", tarfile.DIRTYPE)
        for path in sorted({*kept.files, *kept.recording.stubs, *kept.links}):
            name = f"{TOP}/{FILES}{path}"
            if path in kept.links:
                add(name, tarfile.SYMTYPE, target=kept.links[path])
            else:
                add(name, tarfile.REGTYPE, kept.files.get(path, b""))

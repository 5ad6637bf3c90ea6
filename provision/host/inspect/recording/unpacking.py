"""Reading an archive that a stranger may have made into a private folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ...errors import ProvisionError, fail
from .recording import RECORDING

if TYPE_CHECKING:
    import tarfile

_MOST_BYTES = 512 << 20  # unpacked, headers included; recorded.py keeps 192 MiB of contents
_MOST_MEMBERS = 500_000
_MOST_PARTS = 160  # folders in one name
_MOST_MEMORY = 128 << 20  # for the decompressor; xz -9 needs 65 MiB
_BLOCK = 1 << 16
_HINT = "provision inspect --record FILE.tar.xz makes one"


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder of a recording: an archive's is a temporary one, removed afterwards.

    ProvisionError `bad-recording` for whatever is no archive of a recording; nothing is ever
    written outside of the temporary folder.
    """
    if path.is_dir():
        yield _top(path, path)
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="provision-replay-") as folder:
        _unpack(path, Path(folder))
        yield _top(Path(folder), path)


def _top(folder: Path, path: Path) -> Path:
    """The folder that holds recording.json: this one, or the only one in it that does."""
    if (folder / RECORDING).is_file():
        return folder
    inner = [one for one in sorted(folder.iterdir()) if not one.is_symlink() and one.is_dir()]
    found = [one for one in inner if (one / RECORDING).is_file()]
    if len(found) != 1:
        raise fail("bad-recording", f"{path}: there is no {RECORDING} in it", _HINT)
    return found[0]


def _unpack(path: Path, folder: Path) -> None:
    import lzma
    import tarfile

    try:
        with path.open("rb") as file:
            plain = _Unxz(file)
            with tarfile.open(fileobj=plain, mode="r|") as tar:  # type: ignore[call-overload]  # any object with read() will do
                _extract(tar, folder)
            while plain.read(_BLOCK):  # up to the checksums at the end
                pass
    except ProvisionError as error:
        raise fail(
            "bad-recording", f"{path}: {error.diagnostics[0].message}", error.diagnostics[0].hint
        ) from None
    except (lzma.LZMAError, tarfile.TarError, EOFError) as error:
        said = " ".join(str(error).split()) or "it ends too early"
        raise fail("bad-recording", f"{path}: not a recording's .tar.xz: {said}", _HINT) from None
    # Of names that no file can have, and of headers that tarfile itself stumbles over.
    except (ValueError, OverflowError, LookupError, RecursionError, MemoryError) as error:
        raise fail("bad-recording", f"{path}: a broken archive: {error}", _HINT) from None
    except OSError as error:
        raise fail("bad-recording", f"{path}: cannot be unpacked: {error.strerror}") from None


class _Unxz:
    """The unpacked bytes of an xz file: no more of them, and no more memory, than allowed."""

    def __init__(self, file: IO[bytes]) -> None:
        import lzma

        self._file = file
        self._given = 0
        self._engine = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY)

    def read(self, size: int) -> bytes:
        parts: list[bytes] = []
        left = size
        while left > 0 and not self._engine.eof:
            packed = self._file.read(_BLOCK) if self._engine.needs_input else b""
            if self._engine.needs_input and not packed:
                raise EOFError("it ends too early")
            part = self._engine.decompress(packed, left)
            parts.append(part)
            left -= len(part)
        self._given += size - left
        if self._given > _MOST_BYTES:
            raise fail("bad-recording", f"more than {_MOST_BYTES >> 20} MiB unpacked: refused")
        return b"".join(parts)


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Folders and files first; links last, so that nothing is ever written through one."""
    links: list[tuple[Path, str]] = []
    made = {folder}
    count = 0
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]  # else it keeps all of them
        count += 1
        if count > _MOST_MEMBERS:
            raise fail("bad-recording", f"more than {_MOST_MEMBERS} files: refused")
        place = _place(folder, member.name)
        if member.issym():
            links.append((place, member.linkname))
            continue
        _make_folders(place if member.isdir() else place.parent, made)
        if member.isdir():
            continue
        if not member.isreg() or member.issparse() or member.size < 0:
            raise fail("bad-recording", f"{member.name!r} is no file, folder or symbolic link")
        _write_file(tar, member, place)
    for place, target in links:
        _make_folders(place.parent, made)
        if place in made or os.path.lexists(place):
            raise fail("bad-recording", f"{place.name!r} is in it twice")
        place.symlink_to(target)


def _place(folder: Path, name: str) -> Path:
    """Where a member lies; its name may neither be absolute nor climb."""
    parts = name.removeprefix("./").rstrip("/").split("/")
    if name in (".", "./"):
        return folder
    if len(parts) > _MOST_PARTS or any(part in ("", ".", "..") for part in parts):
        raise fail("bad-recording", f"a file named {name[:200]!r} leads out of it: refused")
    return folder.joinpath(*parts)


def _make_folders(place: Path, made: set[Path]) -> None:
    missing: list[Path] = []
    while place not in made:
        missing.append(place)
        place = place.parent
    for one in reversed(missing):
        one.mkdir(0o700)
        made.add(one)


def _write_file(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    source = tar.extractfile(member)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(place, flags, 0o600), "wb") as out:
        while source is not None and (part := source.read(_BLOCK)):
            out.write(part)

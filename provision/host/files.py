"""The one door to files: whole-old or whole-new, on disk before anybody is told so."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import ProvisionError, fail

TEMPORARY = ".provision-new-"  # prefix of temporary names; leftovers of a killed run are ours


@dataclass(frozen=True, slots=True)
class OnDisk:
    """What stands at a path: a file's bytes, or a link's target, and its mode."""

    kind: str  # file, link, directory, other
    content: bytes = b""
    mode: int = 0
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class Files:
    """Absolute host paths below a root folder ("/" on the live host)."""

    root: Path = Path("/")

    @property
    def live(self) -> bool:
        """Whether this is the running machine itself, with services to talk to."""
        return self.root == Path("/")

    def at(self, path: str) -> Path:
        """Where a host path lies; `..` cannot lead out of the root."""
        clean = os.path.normpath("/" + path.lstrip("/"))
        return self.root / clean.lstrip("/")

    def look(self, path: str) -> OnDisk | None:
        """What stands there now, links not followed; None when nothing does."""
        real = self.at(path)
        try:
            status = os.lstat(real)
        except (FileNotFoundError, NotADirectoryError):
            return None
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            return OnDisk("link", os.fsencode(real.readlink()), mode, status.st_uid, status.st_gid)
        if stat.S_ISDIR(status.st_mode):
            return OnDisk("directory", b"", mode, status.st_uid, status.st_gid)
        if not stat.S_ISREG(status.st_mode):
            return OnDisk("other", b"", mode, status.st_uid, status.st_gid)
        try:
            return OnDisk("file", real.read_bytes(), mode, status.st_uid, status.st_gid)
        except PermissionError:
            raise needs_root(f"{path} may not be read by this user") from None

    def read(self, path: str) -> bytes | None:
        """A file's bytes, None when there is none."""
        try:
            return self.at(path).read_bytes()
        except PermissionError:
            raise needs_root(f"{path} may not be read by this user") from None
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def write(
        self, path: str, content: bytes, mode: int = 0o644, owner: tuple[int, int] = (0, 0)
    ) -> None:
        """Put a file in place: temporary file beside it, mode first, fsync, rename, fsync.

        owner: uid and gid, where root writes.
        """
        real = self._ready_for(path)
        new = _beside(real)
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as out:
                os.fchmod(out.fileno(), mode)
                if os.geteuid() == 0:
                    os.fchown(out.fileno(), *owner)
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            new.replace(real)
        except OSError as error:
            new.unlink(missing_ok=True)
            # A full disk is told without a name, others with that of the temporary file.
            raise OSError(error.errno, error.strerror, str(real)) from error
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        sync_folder(real.parent)

    def link(self, path: str, target: str) -> None:
        """Put a symbolic link in place by rename."""
        real = self._ready_for(path)
        new = _beside(real)
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.replace(real)
        sync_folder(real.parent)

    def remove(self, path: str) -> None:
        """Take a file or link away, if it is there."""
        real = self.at(path)
        try:
            real.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return
        sync_folder(real.parent)

    def remove_empty_folder(self, path: str) -> bool:
        """Take a folder away if it is there and empty; whether it was."""
        real = self.at(path)
        try:
            real.rmdir()
        except OSError:
            return False
        sync_folder(real.parent)
        return True

    def remove_together(self, paths: Iterable[str]) -> None:
        """Take files and links away in this order. A path that ends in / is a folder, which goes
        where it is one and empty.

        Names are made durable only at the end: until then a power loss brings back all of them, or
        (where the file system writes its log just in between) the last ones.
        """
        touched: set[Path] = set()
        for path in paths:
            real = self.at(path)
            if path.endswith("/"):
                with contextlib.suppress(OSError):
                    real.rmdir()
                    touched.add(real.parent)
            else:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    real.unlink()
                    touched.add(real.parent)
        for one in sorted(touched):
            if one.is_dir():
                sync_folder(one)

    def missing_folders(self, path: str) -> tuple[str, ...]:
        """The folders above a path that are not there yet, outermost first."""
        clean = Path(os.path.normpath("/" + path.lstrip("/")))
        above = [str(one) for one in reversed(clean.parents)]
        return tuple(one for one in above if one != "/" and not self.at(one).is_dir())

    def sweep(self, folder: str) -> tuple[str, ...]:
        """Take away what a killed run left half-written in a folder; the names that were there."""
        try:
            names = sorted(one.name for one in self.at(folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return ()
        left = tuple(name for name in names if name.startswith(TEMPORARY))
        for name in left:
            self.at(f"{folder}/{name}").unlink(missing_ok=True)
        return left

    def _ready_for(self, path: str) -> Path:
        real = self.at(path)
        for folder in self.missing_folders(path):
            self.at(folder).mkdir(mode=0o755, exist_ok=True)
            sync_folder(self.at(folder).parent)
        if real.is_dir() and not real.is_symlink():
            raise fail("is-a-folder", f"{path} is a folder, a file is to stand there")
        return real


def _beside(real: Path) -> Path:
    """A temporary name in the same folder that keeps no known ending.

    node_exporter's textfile collector reads whatever ends in .prom, hidden or not: it would read
    the half-written file, and of one left by a killed run every value twice.
    """
    return real.with_name(f"{TEMPORARY}{os.getpid()}-{real.name}"[:251] + ".new")


def needs_root(why: str) -> ProvisionError:
    """The error of a user who may not do what was asked."""
    return fail("needs-root", why, "run it as root (sudo)")


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

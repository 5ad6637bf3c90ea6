"""Where models lie: full disks, network mounts, models that are not whole."""

from __future__ import annotations

from collections.abc import Iterator

from ...facts import Finding, Mount
from .case import Case
from .names import gib, verb
from .severity import error, note, warning

_LITTLE_MIB = 10 * 1024
_SHARE = 0.05
_ENOUGH_MIB = 100 * 1024  # 5 % of a large disk is room for the next model still
_NO_DISK = ("tmpfs", "devtmpfs", "ramfs", "squashfs", "iso9660", "erofs", "hugetlbfs")


def storage_findings(case: Case) -> Iterator[Finding]:
    yield from _full(case)
    yield from _network(case)
    yield from _models(case)


def _full(case: Case) -> Iterator[Finding]:
    free = {room.point: room.free_mib for room in case.volatile.rooms}
    for mount in case.stable.mounts:
        left = free.get(mount.point)
        if left is None or not _holds_models(mount) or not _little(left, mount.size_mib):
            continue
        wanted = any(path.mount == mount.point for path in case.stable.paths)
        tell = warning if wanted or left < 1024 else note
        of_size = f" of {gib(mount.size_mib)}" if mount.size_mib else ""
        yield tell(
            "disk-full",
            f"{gib(left)}{of_size} are free on {mount.point}",
            "the next model may not fit, and pulls fail half way, logs and caches with them",
            f"du -xh -d2 {mount.point} | sort -h shows what takes the room; move or remove models",
            (mount.point,),
        )


def _holds_models(mount: Mount) -> bool:
    return mount.kind not in _NO_DISK and "ro" not in mount.options and not mount.network


def _little(left: int, size: int | None) -> bool:
    if left < _LITTLE_MIB:
        return True
    return size is not None and left < size * _SHARE and left < _ENOUGH_MIB


def _network(case: Case) -> Iterator[Finding]:
    mounts = [mount for mount in case.stable.mounts if mount.network]
    for mount in mounts:
        source = f" from {mount.source}" if mount.source else ""
        yield note(
            "models-on-network",
            f"{mount.point} is a network mount ({mount.kind or 'of unknown kind'}{source})",
            "models load at the network's speed (1 Gbit/s: two minutes for 15 GB), and units must"
            " wait for the mount",
            "copy models that are in use to a local disk; set a long start timeout otherwise",
            (mount.point,),
        )


def _models(case: Case) -> Iterator[Finding]:
    for path in case.stable.paths:
        model = path.model
        if model is None:
            continue
        if model.missing:
            count = len(model.missing)
            some = ", ".join(model.missing[:3]) + (" ..." if count > 3 else "")
            yield error(
                "model-incomplete",
                f"{path.path} lacks {count} {verb(count, 'file', 'files')} that its own index"
                f" names ({some})",
                "the engine ends with an error when it loads the model",
                "download it again to the end (hf download resumes)",
                (path.path,),
            )
        elif model.problem:
            yield warning(
                "model-unreadable",
                f"the headers of {path.path} are not understood ({model.problem})",
                "its memory need is not known, and the engine may refuse it",
                "compare its size and checksum with the source's",
                (path.path,),
            )

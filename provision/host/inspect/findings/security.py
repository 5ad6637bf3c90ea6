"""What forbids services something: SELinux, mounts without execution."""

from __future__ import annotations

from collections.abc import Iterator

from ...facts import Finding, Mount
from .case import Case
from .severity import error, warning

_CONNECT = "httpd_can_network_connect"


def security_findings(case: Case) -> Iterator[Finding]:
    yield from _selinux(case)
    yield from _noexec(case)


def _selinux(case: Case) -> Iterator[Finding]:
    security = case.stable.security
    if security.selinux != "enforcing" or case.stable.nginx is None:
        return
    if security.selinux_booleans.get(_CONNECT) is False:
        yield warning(
            "selinux-network",
            f"SELinux is enforcing and {_CONNECT} is off",
            "nginx may not connect to the engines, and every request ends in 502 Bad Gateway",
            f"setsebool -P {_CONNECT} on",
        )


def _noexec(case: Case) -> Iterator[Finding]:
    """Programs of the spec on a mount that forbids to run them."""
    wanted = sorted({*case.request.venvs, *case.request.binaries})
    by_point: dict[str, list[str]] = {}
    for path in wanted:
        mount = mount_below(case.stable.mounts, path)
        if mount is not None and "noexec" in mount.options:
            by_point.setdefault(mount.point, []).append(path)
    for point, paths in sorted(by_point.items()):
        yield error(
            "noexec-mount",
            f"{', '.join(paths)} {'lies' if len(paths) == 1 else 'lie'} on {point}, which is"
            " mounted noexec",
            "the engine's program and its libraries cannot be started from there",
            f"mount -o remount,exec {point} and the same in /etc/fstab, or put it elsewhere",
            paths,
        )


def mount_below(mounts: tuple[Mount, ...], path: str) -> Mount | None:
    """The mount that a path lies on: the one with the longest point above it."""
    above = [
        mount
        for mount in mounts
        if path == mount.point or path.startswith(mount.point.rstrip("/") + "/")
    ]
    return max(above, key=lambda mount: len(mount.point), default=None)

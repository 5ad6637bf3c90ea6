"""What a service gets unless its unit says otherwise."""

from __future__ import annotations

from ...facts import Limits
from ..source import Source

_PROPERTIES = (
    "DefaultLimitMEMLOCK",
    "DefaultLimitMEMLOCKSoft",
    "DefaultLimitNOFILE",
    "DefaultLimitNOFILESoft",
)
_INFINITE = (1 << 64) - 1  # RLIM_INFINITY, which old versions of systemctl print as a number
_MOST_FILES = (1 << 63) - 1  # the kernel's own default of fs.file-max


def read_limits(source: Source) -> Limits:
    """systemd's default limits, the kernel's, and the size of /dev/shm."""
    defaults = _defaults(source)
    locked = defaults.get("DefaultLimitMEMLOCKSoft", defaults.get("DefaultLimitMEMLOCK"))
    files = source.number("/proc/sys/fs/file-max")
    room = source.room("/dev/shm")
    return Limits(
        memlock_kib=locked if locked is None or locked < 0 else locked // 1024,
        nofile=defaults.get("DefaultLimitNOFILESoft"),
        nofile_hard=defaults.get("DefaultLimitNOFILE"),
        open_files=-1 if files is not None and files >= _MOST_FILES else files,
        shm_mib=None if room is None else shared_memory_mib(room.size),
    )


def shared_memory_mib(size: int) -> int:
    """The size of a tmpfs; one without a limit (size=0) has no blocks and is -1."""
    return size >> 20 if size > 0 else -1


def parse_defaults(text: str) -> dict[str, int]:
    """The limits in the output of `systemctl show`, in their own units; infinity is -1.

    A property that this systemd does not know, or whose value is no number, is left out. The name
    without Soft is the hard limit.
    """
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or name not in _PROPERTIES:
            continue
        if value == "infinity":
            found[name] = -1
        elif value.isdecimal() and len(value) <= 20:
            number = int(value)
            found[name] = -1 if number >= _INFINITE else number
    return found


def _defaults(source: Source) -> dict[str, int]:
    """What the running manager says; nothing where systemd is not running."""
    program = source.which("systemctl")
    if program is None:
        return {}
    ran = source.run([program, "show", f"--property={','.join(_PROPERTIES)}"])
    return parse_defaults(ran.out) if ran.ok else {}

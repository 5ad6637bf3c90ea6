"""The image that all test hosts run, and the packages needed to make and run it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BUILD_SECONDS = 900  # measured: 60 s on two idle cores

# A program of each package that the test beds call. The rest of packages.txt are their libraries.
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mke2fs": "e2fsprogs",
    "cpio": "cpio",
    "depmod": "kmod",
    "gcc": "gcc",
    "ip": "iproute2",
    "nginx": "nginx-light",
    "numactl": "numactl",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "systemd-analyze": "systemd",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
    "zstd": "zstd",
}
FILES = {
    "/usr/share/seabios/bios-256k.bin": "seabios",
    "/usr/lib/ipxe/qemu/efi-virtio.rom": "ipxe-qemu",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "/usr/include/stdio.h": "libc6-dev",
}
# A plain user's PATH has no sbin, where half of these live.
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


@dataclass(frozen=True)
class Image:
    """The folder that build.sh made; its comment says what stands in it."""

    folder: Path

    @property
    def rootfs(self) -> Path:
        return self.folder / "rootfs"

    @property
    def key(self) -> Path:
        return self.folder / "id"


def missing_packages() -> list[str]:
    """Debian packages without which the test hosts cannot be made or run here."""
    missing = {
        package for program, package in PROGRAMS.items() if not shutil.which(program, path=PATH)
    }
    missing |= {package for path, package in FILES.items() if not Path(path).exists()}
    return sorted(missing)


def cache_folder() -> Path:
    """Where images and snapshots are kept between runs; `build.sh` has the same rule."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    default = Path(home) / "provision-testbed"
    return Path(os.environ.get("PROVISION_TESTBED_CACHE") or default)


def build(cache: Path | None = None) -> Image:
    """Return the image for the scripts as they are now, building it when it is not cached."""
    env = {**os.environ, "PATH": PATH, "PROVISION_TESTBED_CACHE": str(cache or cache_folder())}
    built = subprocess.run(
        # Not by `timeout=`, which would kill the script alone and leave what it runs.
        ["timeout", "--kill-after=20", str(BUILD_SECONDS), str(HERE / "build.sh")],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise RuntimeError(f"build.sh exited {built.returncode}:\n{built.stderr[-4000:]}")
    return Image(Path(built.stdout.strip().splitlines()[-1]))

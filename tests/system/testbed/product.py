"""The project's own package, laid out as a host has it."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

from .image import Image

LIBRARY = "/opt/provision/lib"  # on the hosts; the image has what provision needs there already
PARTS = ("templates", "playbooks")  # what pyproject.toml puts into the wheel as package data


def stage(source: Path, folder: Path, image: Image) -> Path:
    """Lay a wheel, or a checkout as its wheel would be, into `folder`, compiled for the hosts.

    Compiled here, by the hosts' own Python: that takes seconds there.
    """
    if source.is_dir():
        _from_checkout(source, folder)
    else:
        with zipfile.ZipFile(source) as wheel:
            wheel.extractall(folder)
    _compile(folder, image)
    return folder


def _from_checkout(source: Path, folder: Path) -> None:
    skip = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(source / "provision", folder / "provision", ignore=skip)
    for part in PARTS:
        if (source / part).is_dir():
            target = folder / "provision" / "_data" / part
            shutil.copytree(source / part, target, ignore=skip, dirs_exist_ok=True)
    # What importlib.metadata answers from.
    found = re.search(r'(?m)^version = "(.+)"', (source / "pyproject.toml").read_text())
    version = found.group(1) if found else "0"
    info = folder / f"llm_provision-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: llm-provision\nVersion: {version}\n"
    )


def _compile(folder: Path, image: Image) -> None:
    # In a mount namespace of its own, so that the shared tree never changes.
    script = (
        'mount --bind "$1" "$2/mnt" && exec chroot "$2" python3 -m compileall -q'
        f" --invalidation-mode unchecked-hash -s /mnt -p {LIBRARY} /mnt"
    )
    subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(folder), str(image.rootfs)],
        check=True,
        capture_output=True,
        timeout=120,
    )

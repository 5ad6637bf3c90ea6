"""What guard, ready and gpu-settings are given on the host: documents under /etc/provision."""

from __future__ import annotations

import re

from .bundle import GpuSettings, InstanceRuntime
from .document import loads
from .errors import fail
from .files import Files

RUNTIME = "/run/provision"  # NAME.env files, gone after a boot
GPU_FILE = "/etc/provision/gpu-settings.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,127}")  # never a path: it comes from a unit's %i


def load_runtime(files: Files, name: str) -> InstanceRuntime:
    """The document of an instance; ProvisionError `no-instance` when there is none."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise fail("no-instance", f"{name!r} is not the name of an instance")
    path = f"/etc/provision/instances/{name}.json"
    text = files.read(path)
    if text is None:
        raise fail("no-instance", f"{path} does not exist", "provision apply writes it")
    return loads(InstanceRuntime, text, path)


def load_gpu_settings(files: Files) -> GpuSettings:
    """The wanted GPU settings; ProvisionError `no-gpu-settings` when there are none."""
    text = files.read(GPU_FILE)
    if text is None:
        raise fail("no-gpu-settings", f"{GPU_FILE} does not exist", "provision apply writes it")
    return loads(GpuSettings, text, GPU_FILE)

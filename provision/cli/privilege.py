"""Root, asked for before any work is done, and only where it is needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from provision.host.errors import fail

if TYPE_CHECKING:
    from provision.host.files import Files


def demand_root(files: Files, why: str, hint: str = "sudo provision ..., or --root DIR") -> None:
    """ProvisionError `needs-root` on the live host for anybody else. A scratch root needs none."""
    if files.live and os.geteuid() != 0:
        raise fail("needs-root", f"{why}: root is needed", hint)
